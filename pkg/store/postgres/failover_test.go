package postgres

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"queue-worker/internal/pgtest"
	"queue-worker/internal/testkit"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// ledger has what a store has confirmed.
type ledger struct {
	mu        sync.Mutex
	confirmed []invocation.ID
}

// accept accepts an invocation, and writes it down when that is confirmed.
func (l *ledger) accept(s *Store) {
	inv := newInvocation(s, "fn")
	s.Accept(store.Accept{Inv: inv, Raw: []byte("request")}, func(err error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if err == nil {
			l.confirmed = append(l.confirmed, inv.ID)
		}
	})
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.confirmed)
}

// lost are how many of them a store has not.
func (l *ledger) lost(t *testing.T, s *Store) (n int) {
	t.Helper()
	for _, id := range l.confirmed {
		switch _, err := s.Get(t.Context(), id); {
		case errors.Is(err, store.ErrNotFound):
			n++
		case err != nil:
			t.Fatal(err)
		}
	}
	return n
}

// pair starts a primary with a database, and a streaming standby.
func pair(t *testing.T) (primary, standby *pgtest.Server, url string) {
	t.Helper()
	primary, err := pgtest.Start("fsync=off", "wal_receiver_status_interval=1s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(primary.Stop)
	query(t, primary, "postgres", "CREATE DATABASE queue")
	if standby, err = primary.Standby("a"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.Stop)
	// The standby comes first, so that the one that takes writes has to be looked for.
	return primary, standby, fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/queue?sslmode=disable&target_session_attrs=read-write", standby.Port(), primary.Port())
}

func query(t *testing.T, s *pgtest.Server, database string, statements ...string) {
	t.Helper()
	for _, text := range statements {
		if err := s.Query(database, text); err != nil {
			t.Fatal(err)
		}
	}
}

// failOver accepts, cuts the standby off from the primary, accepts more until cutOff is true, kills the
// primary and promotes the standby. It returns how much of what was confirmed is lost.
func failOver(t *testing.T, prepare string, cutOff func(*pgtest.Server, *ledger) bool) (confirmed, lost int) {
	t.Helper()
	if testing.Short() {
		t.Skip("servers of its own: the run without the race detector has it")
	}
	primary, standby, url := pair(t)
	query(t, primary, "postgres", "ALTER SYSTEM SET synchronous_standby_names = '"+prepare+"'", "SELECT pg_reload_conf()")
	s := opened(t, url)
	l := &ledger{}
	const n = 20
	for range n {
		l.accept(s)
	}
	testkit.Eventually(t, "what is accepted to be confirmed", func() bool { return l.count() == n })
	// Everything so far is on the standby, also where that is not waited for.
	testkit.Eventually(t, "the standby to have it", func() bool {
		return primary.Query("postgres", "SELECT 1 / count(*) FROM pg_stat_replication WHERE flush_lsn = pg_current_wal_lsn()") == nil
	})
	query(t, standby, "postgres", "ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")
	testkit.Eventually(t, "the standby to be cut off", func() bool {
		return primary.Query("postgres", "SELECT 1 / (1 - count(*)) FROM pg_stat_replication") == nil
	})
	for range n {
		l.accept(s)
	}
	testkit.Eventually(t, "the primary to have the rest", func() bool { return cutOff(primary, l) })
	primary.Kill()
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	_ = s.Close() // after a loss it has failed
	again := opened(t, url)
	accepted(t, again)
	return l.count(), l.lost(t, again)
}

func TestFailoverToASynchronousStandbyLosesNothing(t *testing.T) {
	t.Parallel()
	confirmed, lost := failOver(t, "ANY 1 (a)", func(primary *pgtest.Server, _ *ledger) bool {
		return primary.Query("postgres", "SELECT 1 / count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == nil
	})
	if confirmed < 20 || lost != 0 {
		t.Errorf("lost of %d that were confirmed: got %d, want none", confirmed, lost)
	}
}

// TestTheLedgerFindsTheLossOfAnAsynchronousStandby is the test of the one above: the same steps without
// synchronous_standby_names lose, and that is found.
func TestTheLedgerFindsTheLossOfAnAsynchronousStandby(t *testing.T) {
	t.Parallel()
	confirmed, lost := failOver(t, "", func(_ *pgtest.Server, l *ledger) bool { return l.count() == 40 })
	if confirmed != 40 || lost != 20 {
		t.Errorf("lost of %d that were confirmed: got %d, want the 20 that the standby has not seen", confirmed, lost)
	}
}

func TestAPoolerInTransactionModeIsRefused(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("servers of its own: the run without the race detector has it")
	}
	server, err := pgtest.Start("fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	query(t, server, "postgres", "CREATE DATABASE queue")
	url := server.Pooler(t, "transaction", "queue")
	if _, err := Open(t.Context(), Options{URL: url, Name: t.Name()}); err == nil || !strings.Contains(err.Error(), "a pooler in transaction mode") {
		t.Errorf("open: got %v, want the pooler refused", err)
	}
	if s, err := Inspect(t.Context(), url); err != nil || s.Pooler != PoolerTransaction {
		t.Errorf("inspect: got %+v, %v, want a pooler in transaction mode", s, err)
	}
	if s, err := Inspect(t.Context(), server.URL("queue")); err != nil || s.Pooler != "" {
		t.Errorf("inspect without a pooler: got %+v, %v, want none", s, err)
	}
	url = server.Pooler(t, "session", "queue")
	if s, err := Inspect(t.Context(), url); err != nil || s.Pooler != PoolerSession {
		t.Errorf("inspect: got %+v, %v, want a pooler in session mode", s, err)
	}
	s := opened(t, url)
	if _, err := finish(s, accepted(t, s)); err != nil {
		t.Errorf("settle through a pooler in session mode: got %v, want no error", err)
	}
}
