// File inspect.go reads what an operator should know of a server, without changing anything.

package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is what there is to know of a server and a database before a worker uses them.
type Server struct {
	Version   int           // such as 15
	Release   string        // such as "15.18 (Debian ...)"
	Encrypted bool          // the connection
	Pooler    string        // mode of the pooler in between, "" for none
	Fsync     string        // on or off
	FullPages string        // full_page_writes
	Commit    string        // synchronous_commit
	Standbys  string        // synchronous_standby_names, "" for none
	MayCreate bool          // the tables can be created, or are there and can be used
	Layout    int           // of the tables, 0 for none
	Newer     bool          // this program does not know the layout
	Holder    string        // the worker that uses the database, "" for none
	Offset    time.Duration // how far the server's clock is ahead of this machine's
}

// The versions that are accepted, and the one that tests run on.
const (
	OldestVersion = 14
	NewestVersion = 18
	TestedVersion = 15
)

// Inspect connects to a server and reads what there is to know.
func Inspect(ctx context.Context, url string) (*Server, error) {
	config, err := ParseURL(url)
	if err != nil {
		return nil, err
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec // prepared statements do not pass every pooler
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, errors.New(cause(err))
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	s := &Server{}
	for _, step := range []func(context.Context, *pgx.Conn) error{s.readPooler, s.readSettings, s.readRights, s.readTables, s.readClock} {
		if err := step(ctx, conn); err != nil {
			return nil, errors.New(cause(err))
		}
	}
	return s, nil
}

func (s *Server) readPooler(ctx context.Context, conn *pgx.Conn) (err error) {
	s.Pooler, err = poolerOf(ctx, conn)
	return err
}

func (s *Server) readSettings(ctx context.Context, conn *pgx.Conn) error {
	var number string
	err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num'), current_setting('server_version'), current_setting('fsync'),
current_setting('full_page_writes'), current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),
coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)`).
		Scan(&number, &s.Release, &s.Fsync, &s.FullPages, &s.Commit, &s.Standbys, &s.Encrypted)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(number)
	s.Version = n / 10_000
	return err
}

func (s *Server) readRights(ctx context.Context, conn *pgx.Conn) error {
	return conn.QueryRow(ctx, `SELECT CASE WHEN to_regnamespace('queue_worker') IS NULL THEN has_database_privilege(current_database(), 'CREATE')
ELSE has_schema_privilege('queue_worker', 'USAGE, CREATE') END`).Scan(&s.MayCreate)
}

// readTables reads the layout, and who uses the database.
func (s *Server) readTables(ctx context.Context, conn *pgx.Conn) error {
	if !s.MayCreate {
		return nil
	}
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) (err error) {
		s.Layout, err = layoutOf(ctx, tx)
		return err
	})
	if err != nil || s.Layout == 0 {
		return err
	}
	s.Newer = s.Layout > len(upgrades)+1
	var used bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND (classid::bigint << 32) + objid::bigint = $1)`, int64(workerLock)).Scan(&used)
	if err != nil || !used {
		return err
	}
	s.Holder = "unknown"
	_ = conn.QueryRow(ctx, statement("holder")).Scan(&s.Holder) // without it the name is unknown
	return nil
}

func (s *Server) readClock(ctx context.Context, conn *pgx.Conn) error {
	var c clock
	err := c.set(ctx, conn)
	s.Offset = time.Until(c.Now())
	return err
}

// Risks are what may lose confirmed changes, each with its meaning.
func (s *Server) Risks() (all []string) {
	if s.Fsync == "off" || s.FullPages == "off" {
		all = append(all, fmt.Sprintf("fsync=%s, full_page_writes=%s: a crash of the server's machine can damage everything that is stored", s.Fsync, s.FullPages))
	}
	if s.Commit == "off" {
		all = append(all, "synchronous_commit=off: a crash of the server loses what was confirmed in its last second")
	}
	return all
}

// LosesAtFailover reports whether a standby may lack what was confirmed.
func (s *Server) LosesAtFailover() bool {
	return s.Standbys == "" || s.Commit == "off" || s.Commit == "local"
}

// warnOfServer logs what may lose confirmed changes.
func (s *Store) warnOfServer(ctx context.Context) error {
	server := &Server{}
	s.lock.mu.Lock()
	defer s.lock.mu.Unlock()
	if err := server.readSettings(ctx, s.lock.link.conn); err != nil {
		return err
	}
	if server.Version < OldestVersion {
		return fmt.Errorf("PostgreSQL %s: the oldest version that is accepted is %d", server.Release, OldestVersion)
	}
	for _, risk := range server.Risks() {
		s.log.Warn("store may lose what PostgreSQL has confirmed", "risk", risk)
	}
	return nil
}
