// File pooler.go finds out whether a pooler is between the worker and the server, and refuses one that
// does not keep sessions.

package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// Modes of a pooler, such as PgBouncer.
const (
	PoolerSession     = "session"     // each connection has one of the server
	PoolerTransaction = "transaction" // connections share those of the server, also in statement mode
)

// errPooler is the error of a pooler that the store cannot use: locks, timeouts and prepared statements
// belong to a session of the server.
var errPooler = errors.New("a pooler in transaction mode is between this program and PostgreSQL: use its session mode, or connect to PostgreSQL itself")

// poolerOf is the mode of the pooler that conn goes through, "" for none. A pooler names another
// process than the one that answers. When a second connection is answered by the process of the first,
// which is still open, then they share it.
func poolerOf(ctx context.Context, conn *pgx.Conn) (string, error) {
	pid, err := backendOf(ctx, conn)
	if err != nil || pid == conn.PgConn().PID() {
		return "", err
	}
	second, err := pgx.ConnectConfig(ctx, conn.Config())
	if err != nil {
		return "", err
	}
	defer func() { _ = second.Close(context.WithoutCancel(ctx)) }()
	other, err := backendOf(ctx, second)
	if err != nil {
		return "", err
	}
	if other == pid {
		return PoolerTransaction, nil
	}
	return PoolerSession, nil
}

// backendOf is the server's process that answers a connection. It prepares no statement.
func backendOf(ctx context.Context, conn *pgx.Conn) (pid uint32, err error) {
	err = conn.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeExec).Scan(&pid)
	return pid, err
}

// refusePooler refuses a pooler that does not keep sessions.
func (s *Store) refusePooler(ctx context.Context) error {
	return s.patiently(ctx, func(ctx context.Context) error {
		conn, err := pgx.ConnectConfig(ctx, s.config.Copy())
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
		mode, err := poolerOf(ctx, conn)
		if err == nil && mode == PoolerTransaction {
			return errPooler
		}
		return err
	})
}
