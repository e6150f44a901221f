package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"queue-worker/internal/pgtest"
	"queue-worker/internal/testkit"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// frozen has a store give no more signs of life, as a process that is stopped, and returns what lets
// it continue.
func frozen(t *testing.T, s *Store) (thaw func()) {
	t.Helper()
	s.lock.mu.Lock()
	var thawed bool
	thaw = func() {
		if !thawed {
			thawed = true
			s.lock.mu.Unlock()
		}
	}
	t.Cleanup(thaw)
	return thaw
}

// cutLocks ends the connections that have the lock of a database.
func cutLocks(t *testing.T, url string) {
	t.Helper()
	run(t, url, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
}

// grow makes the signs of life of all sessions a lease old.
func grow(t *testing.T, url string) {
	t.Helper()
	run(t, url, "UPDATE queue_worker.presence SET beat = beat - interval '11 seconds'")
}

func TestWorkerWithoutSignsOfLifeIsFenced(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start("fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	url := server.URL("postgres")
	s := opened(t, url)
	flying := accepted(t, s)
	if _, err := s.LoadReady(t.Context(), at(flying)); err != nil {
		t.Fatalf("load: got %v, want no error", err)
	}
	thaw := frozen(t, s)
	grow(t, url) // the server's start counts as a sign of life, so this takes a lease all the same
	begun := time.Now()
	var next *Store
	testkit.Eventually(t, "another worker to take over", func() bool {
		next, err = Open(t.Context(), Options{URL: url, Name: "next"})
		return !errors.Is(err, store.ErrLocked)
	})
	if err != nil {
		t.Fatalf("open: got %v, want a store", err)
	}
	t.Cleanup(func() { _ = next.Close() })
	if got := next.Recovered().InFlight; got != 1 {
		t.Errorf("taken over: got %d, want 1", got)
	}
	t.Logf("taken over after %s", time.Since(begun).Round(time.Millisecond))
	thaw()
	testkit.Eventually(t, "the fenced store to fail", func() bool { return s.Failed() != nil })
}

func TestWorkerWithSignsOfLifeIsNotFenced(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s := opened(t, url)
	for range 3 {
		if _, err := Open(t.Context(), Options{URL: url, Name: "next"}); !errors.Is(err, store.ErrLocked) {
			t.Fatalf("open beside a live worker: got %v, want ErrLocked", err)
		}
	}
	thaw := frozen(t, s)
	run(t, url, "UPDATE queue_worker.presence SET beat = beat + interval '1 hour'") // however busy this machine is
	cutLocks(t, url)
	if _, err := Open(t.Context(), Options{URL: url, Name: "next"}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("open when the lock was just lost: got %v, want ErrLocked", err)
	}
	thaw()
	testkit.Eventually(t, "the lock to be taken again", func() bool {
		server, err := Inspect(t.Context(), url)
		return err == nil && server.Holder == t.Name()
	})
	if err := s.Failed(); err != nil {
		t.Errorf("failed: got %v, want no error", err)
	}
}

func TestWorkerOfTheSameNameTakesOverAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	first := opened(t, url)
	frozen(t, first)
	cutLocks(t, url) // as the end of the process does
	next := opened(t, url)
	if err := accept(next, newInvocation(next, "fn")); err != nil {
		t.Errorf("accept: got %v, want no error", err)
	}
}

func TestNoCallBeginsWithoutSignsOfLife(t *testing.T) {
	t.Parallel()
	s := opened(t, pgtest.Database(t))
	thaw := frozen(t, s)
	s.signs.given(time.Now().Add(-silentMost - time.Second))
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "no sign of life") {
		t.Errorf("error: got %v, want one of missing signs of life", err)
	}
	thaw()
	testkit.Eventually(t, "calls to begin again", func() bool { return s.Err() == nil })
}

func TestTakeoverWaitsForWhatIsBeingOwned(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s := opened(t, url)
	flying := accepted(t, s)
	frozen(t, s)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), statement("own"), s.session, [][16]byte{flying.ID}, []int64{stamp(flying.Since)}); err != nil {
		t.Fatal(err)
	}
	cutLocks(t, url)
	after := make(chan *Store)
	go func() {
		next, err := Open(context.Background(), Options{URL: url, Name: t.Name()})
		if err != nil {
			t.Errorf("open: got %v, want a store", err)
		}
		after <- next
	}()
	var next *Store
	testkit.Eventually(t, "the takeover to wait", func() bool {
		select {
		case next = <-after:
			return true
		default:
		}
		var waits bool
		err := s.pool.QueryRow(t.Context(), "SELECT EXISTS (SELECT 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT granted AND a.datname = current_database())").Scan(&waits)
		return err == nil && waits
	})
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if next == nil {
		next = <-after
	}
	if next == nil {
		t.FailNow()
	}
	defer func() { _ = next.Close() }()
	if got := next.Recovered().InFlight; got != 1 {
		t.Errorf("taken over: got %d, want 1", got)
	}
}

func TestLayoutWithoutPresencesIsUpgraded(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	run(t, url, "CREATE SCHEMA queue_worker; "+upgrades[0]+"; INSERT INTO queue_worker.meta (layout, secret) VALUES (1, 'secret'); INSERT INTO queue_worker.session (name) VALUES ('before')")
	s := opened(t, url)
	if err := accept(s, newInvocation(s, "fn")); err != nil {
		t.Errorf("accept: got %v, want no error", err)
	}
	server, err := Inspect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := server.Layout, len(upgrades); got != want {
		t.Errorf("layout: got %d, want %d", got, want)
	}
}

// changes are all ways in which a worker changes what is stored, or begins a call.
func changes(t *testing.T, s *Store, ready, flying store.Ready) map[string]error {
	t.Helper()
	ctx := t.Context()
	got := map[string]error{}
	_, got["load"] = s.LoadReady(ctx, ready)
	inv, err := s.Get(ctx, flying.ID)
	if err != nil {
		t.Fatalf("get: got %v, want no error", err)
	}
	for _, outcome := range []invocation.Outcome{invocation.OutcomeDone, invocation.OutcomeRetry, invocation.OutcomeDead} {
		next := *inv
		_, got["settle as "+string(outcome)] = settle(s, flying, outcome, &next)
	}
	got["accept"] = accept(s, newInvocation(s, "fn"))
	got["note"] = s.PutNote(ctx, store.Note{Name: "n", Value: []byte("v")})
	_, got["cancel"] = s.Cancel(ctx, ready.ID)
	return got
}

// fenceAll fences all workers of a database, as if none had given a sign of life.
func fenceAll(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var name string
	var silent float64
	var unlocked bool
	err = conn.QueryRow(t.Context(), statement("fence silent"), 0.0, int64(workerLock)).Scan(&name, &silent, &unlocked)
	if err != nil || !unlocked {
		t.Fatalf("fence: got %v, lock freed %v, want no error and a free lock", err, unlocked)
	}
}

// fencing has a worker fenced that is not aware of it, lets another one take over, and returns in what
// the first one can still do harm.
func fencing(t *testing.T) (harm []string) {
	t.Helper()
	url := pgtest.Database(t)
	first := opened(t, url)
	ready, flying := accepted(t, first), accepted(t, first)
	if _, err := first.LoadReady(t.Context(), at(flying)); err != nil {
		t.Fatalf("load: got %v, want no error", err)
	}
	frozen(t, first)
	fenceAll(t, url)
	for name, err := range changes(t, first, at(ready), at(flying)) {
		if err == nil {
			harm = append(harm, name)
		}
	}
	next := opened(t, url)
	for _, place := range []store.Ready{at(ready), at(flying)} {
		l, err := next.LoadReady(t.Context(), place)
		if err != nil {
			harm = append(harm, "an invocation is gone")
			continue
		}
		if _, err := settle(next, place, invocation.OutcomeDone, l.Inv); err != nil {
			harm = append(harm, "the next worker cannot settle")
		}
	}
	if got := next.Stats(); got.Difference() != 0 || got.Ready != 2 || got.Done != 2 { // the callbacks are ready
		harm = append(harm, fmt.Sprintf("counts: %+v", got))
	}
	return append(harm, ofOthers(t, next, url)...)
}

// ofOthers returns in what a live worker can do harm to what another one has in flight.
func ofOthers(t *testing.T, s *Store, url string) (harm []string) {
	t.Helper()
	inv := accepted(t, s)
	run(t, url, fmt.Sprintf("UPDATE queue_worker.pending SET owner = 1000 WHERE id = '%x'", inv.ID[:]))
	if _, err := s.LoadReady(t.Context(), at(inv)); !errors.Is(err, store.ErrNotFound) {
		harm = append(harm, fmt.Sprintf("load of what another owns: %v", err))
	}
	for _, outcome := range []invocation.Outcome{invocation.OutcomeDone, invocation.OutcomeRetry, invocation.OutcomeDead} {
		next := *inv
		if _, err := settle(s, at(inv), outcome, &next); !errors.Is(err, store.ErrNotFound) {
			harm = append(harm, fmt.Sprintf("settlement of what another owns as %s: %v", outcome, err))
		}
	}
	return harm
}

func TestFencedWorkerDoesNoHarm(t *testing.T) {
	t.Parallel()
	if harm := fencing(t); len(harm) > 0 {
		t.Errorf("harm of a fenced worker: got %q, want none", harm)
	}
}

// TestFencingFindsPlantedBugs is not parallel: it changes the statements of all stores.
func TestFencingFindsPlantedBugs(t *testing.T) {
	tests := []struct{ name, statement, old, new string }{
		{"batches of any session", "fence", " AND state = 0", ""},
		{"settlements of any owner", "leave", "(p.owner = $1 OR p.owner IS NULL)", "$1::int > 0"},
		{"silent workers that stay live", "fence silent", "SET state = 2", "SET state = 0"},
		{
			"owning without being live", "own",
			"p.session FROM queue_worker.presence p JOIN queue_worker.session s ON s.id = p.session WHERE p.session = $1 AND s.state = 0 FOR KEY SHARE OF p", "$1::int AS session",
		},
		{"owning what another owns", "own", "(p.owner = $1 OR p.owner IS NULL)", "$1::int > 0"},
		{"what is in flight is not taken over", "in flight", "p.owner <> $1", "p.owner = $1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			good := queries[tt.statement]
			if !strings.Contains(good, tt.old) {
				t.Fatalf("statement %s: got none of %q, want it", tt.statement, tt.old)
			}
			queries[tt.statement] = strings.Replace(good, tt.old, tt.new, 1)
			t.Cleanup(func() { queries[tt.statement] = good })
			if harm := fencing(t); len(harm) == 0 {
				t.Error("harm with a planted bug: got none, want some")
			} else {
				t.Logf("found: %q", harm)
			}
		})
	}
}
