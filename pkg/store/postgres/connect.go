// File connect.go connects to the server, and waits for one that cannot be reached.

package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"queue-worker/pkg/store"
)

// Connections of one worker: the committer, the loader and the lock have one each.
const readers = 5

// Waits between attempts to reach the server.
const (
	firstWait   = 10 * time.Millisecond
	longestWait = time.Second
	// connectTimeout bounds one attempt to connect, queryTimeout one statement.
	connectTimeout = 5 * time.Second
	queryTimeout   = 30 * time.Second
)

// setupWriter has the planner look up every row of a batch by an index, whatever it has counted of
// tables that were empty a moment ago.
const setupWriter = `SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '10s'; SET lock_timeout = '20s';
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off`

// setupLoader needs no durable commit: an owner that the server forgets in a crash was in flight then.
const setupLoader = setupWriter + `; SET synchronous_commit = off`

const setupReader = `SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '10s'; SET jit = off`

// ErrURL is wrapped by the error of a store_url that is not valid.
var ErrURL = errors.New("not a URL of PostgreSQL")

// ParseURL reads store_url. The error shows nothing of it: it may hold a password. Without other
// wishes the connection is to a server that takes writes.
func ParseURL(text string) (*pgx.ConnConfig, error) {
	if !strings.HasPrefix(text, "postgres://") && !strings.HasPrefix(text, "postgresql://") {
		return nil, fmt.Errorf("%w: expected postgres://user@host:port/database", ErrURL)
	}
	config, err := pgx.ParseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrURL, cause(err))
	}
	if !strings.Contains(text, "target_session_attrs=") {
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "queue-worker"
	}
	return config, nil
}

// cause is the cause of an error in one line, without the addresses and names that the driver repeats.
func cause(err error) string {
	var parse *pgconn.ParseConfigError
	if errors.As(err, &parse) && parse.Unwrap() != nil {
		err = parse.Unwrap()
	}
	if e := server(err); e != nil {
		if strings.HasPrefix(e.Code, "28") {
			return "login refused (SQLSTATE " + e.Code + ")"
		}
		return fmt.Sprintf("%s (SQLSTATE %s)", e.Message, e.Code)
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Err.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return line
}

// link is a connection of one goroutine, which is made again after it has broken.
type link struct {
	config *pgx.ConnConfig
	setup  string
	conn   *pgx.Conn
}

// get returns the connection.
func (l *link) get(ctx context.Context) (*pgx.Conn, error) {
	if l.conn != nil && !l.conn.IsClosed() {
		return l.conn, nil
	}
	conn, err := pgx.ConnectConfig(ctx, l.config.Copy())
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, l.setup, pgx.QueryExecModeSimpleProtocol); err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	l.conn = conn
	return conn, nil
}

// drop gives up a connection whose state is not known.
func (l *link) drop() {
	if l.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = l.conn.Close(ctx)
		l.conn = nil
	}
}

// reach opens the connections, and waits for the server as long as it takes.
func (s *Store) reach(ctx context.Context) error {
	pool, err := pgxpool.ParseConfig("")
	if err != nil {
		return err
	}
	pool.ConnConfig, pool.MaxConns = s.config, readers
	pool.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, setupReader, pgx.QueryExecModeSimpleProtocol)
		return err
	}
	if s.pool, err = pgxpool.NewWithConfig(s.life, pool); err != nil {
		return err
	}
	return s.patiently(ctx, func(ctx context.Context) error {
		if err := s.lock.take(ctx, s); err != nil {
			return err
		}
		return s.clock.set(ctx, s.lock.link.conn)
	})
}

// patiently repeats f while the server cannot be reached. Each attempt is bounded: a server that does
// not answer holds up no Close.
func (s *Store) patiently(ctx context.Context, f func(context.Context) error) error {
	bounded := func() error {
		ctx, cancel := context.WithTimeout(ctx, queryTimeout)
		defer cancel()
		return f(ctx)
	}
	stale := false
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		err := bounded()
		if err == nil {
			s.away.back(s)
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !passes(err) {
			return err
		}
		if !stale && isCut(err) {
			stale = true
			s.pool.Reset()
			continue
		}
		s.away.since(s, err)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.failed:
			return s.Failed()
		case <-s.quit:
			return store.ErrClosed
		case <-time.After(wait):
		}
	}
}

// isCut reports whether a connection was cut. A first such error may be of one that was made before a
// restart of the server, and says nothing of the server as it is now.
func isCut(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return false
	}
	e := server(err)
	return e == nil && !errors.Is(err, context.DeadlineExceeded) || e != nil && (e.Code == "57P01" || e.Code == "57P02")
}

// server is the error that the server has reported; nil when it is another.
func server(err error) *pgconn.PgError {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// passes reports whether an error may pass by itself: of the connection, of a server that starts,
// stops, is full or read-only, or of the login, which an operator can correct.
func passes(err error) bool {
	if errors.Is(err, store.ErrLocked) || errors.Is(err, store.ErrNewer) || errors.Is(err, store.ErrFailed) || errors.Is(err, errFenced) || errors.Is(err, errPooler) || errors.Is(err, errDefect) || errors.Is(err, pgx.ErrNoRows) {
		return false
	}
	e := server(err)
	if e == nil {
		return true
	}
	if e.Code == "57014" || e.Code == "3D000" { // a statement that took too long; a database that is to be made
		return true
	}
	switch e.Code[:2] {
	case "08", "53", "57", "58", "25", "28", "40", "55":
		return true
	}
	return false
}

// away is since when the server cannot be used, and why.
type away struct {
	mu    sync.Mutex
	begun time.Time
	err   error
}

// since notes that the server cannot be used, and logs it once.
func (a *away) since(s *Store, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		a.begun = time.Now()
		s.log.Warn("store unreachable, waiting for PostgreSQL", "error", err, "host", s.config.Host, "database", s.config.Database,
			"hint", "No call begins and nothing is accepted until it answers. Check the server, and store_url or store_url_file.")
	}
	a.err = err
	s.opts.Away(a.text())
}

// back notes that the server can be used.
func (a *away) back(s *Store) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		s.log.Info("store reachable again", "after", time.Since(a.begun).Round(time.Millisecond))
	}
	a.err = nil
	s.opts.Away(nil)
}

// get is nil while the server can be used.
func (a *away) get() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.text()
}

func (a *away) text() error {
	if a.err == nil {
		return nil
	}
	return fmt.Errorf("PostgreSQL unreachable since %s: %s", a.begun.UTC().Format(time.RFC3339), cause(a.err))
}
