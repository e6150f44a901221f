package postgres

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"queue-worker/internal/pgtest"
	"queue-worker/internal/testkit"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// opened opens a store in a database, and closes it after the test.
func opened(t *testing.T, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{URL: url, Name: t.Name()})
	if err != nil {
		t.Fatalf("open: got %v, want a store", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// killed closes a store as a worker that is killed leaves it.
func killed(t *testing.T, s *Store) {
	t.Helper()
	_ = s.fail(errors.New("killed by the test"))
	if err := s.Close(); err != nil {
		t.Fatalf("close: got %v, want no error", err)
	}
}

// run runs a statement past the store.
func run(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// accepted accepts an invocation that is ready.
func accepted(t *testing.T, s *Store) *invocation.Invocation {
	t.Helper()
	inv := newInvocation(s, "fn")
	if err := accept(s, inv); err != nil {
		t.Fatalf("accept: got %v, want no error", err)
	}
	return inv
}

func newInvocation(s *Store, function string) *invocation.Invocation {
	id := invocation.NewID(s.Now())
	return &invocation.Invocation{
		ID: id, CallID: "call of " + id.String(), Function: function, Accepted: s.Now(), Since: s.Now(),
		Lane: invocation.Lane{Queue: "faas-request", Name: function},
	}
}

func accept(s *Store, inv *invocation.Invocation) error {
	done := make(chan error, 1)
	s.Accept(store.Accept{Inv: inv, Raw: []byte("request")}, func(err error) { done <- err })
	return <-done
}

func at(inv *invocation.Invocation) store.Ready {
	return store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}
}

// finish settles an invocation as done, with a callback.
func finish(s *Store, inv *invocation.Invocation) (callback *invocation.Invocation, err error) {
	return settle(s, at(inv), invocation.OutcomeDone, inv)
}

// settle settles an invocation, with a callback.
func settle(s *Store, at store.Ready, outcome invocation.Outcome, inv *invocation.Invocation) (callback *invocation.Invocation, err error) {
	callback = newInvocation(s, "url:cb:80")
	callback.Kind, callback.Origin = invocation.KindCallback, inv.ID
	return callback, s.Settle(context.Background(), store.Settlement{
		At: at, Outcome: outcome, Inv: inv, Callback: &store.Accept{Inv: callback, Raw: []byte("callback")},
	})
}

func TestOneWorkerUsesADatabase(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	first := opened(t, url)
	_, err := Open(t.Context(), Options{URL: url, Name: "second"})
	locked, ok := errors.AsType[*store.LockedError](err)
	if !ok {
		t.Fatalf("second worker: got %v, want a LockedError", err)
	}
	if locked.Holder != t.Name() {
		t.Errorf("holder: got %q, want %q", locked.Holder, t.Name())
	}
	if err := first.Close(); err != nil {
		t.Errorf("close: got %v, want no error", err)
	}
	opened(t, url)
}

func TestSessionThatIsDeadChangesNothing(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s := opened(t, url)
	inv := accepted(t, s)
	run(t, url, "UPDATE queue_worker.session SET state = 2")
	if _, err := s.LoadReady(t.Context(), at(inv)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("load of a dead session: got %v, want ErrNotFound", err)
	}
	if _, err := finish(s, inv); !errors.Is(err, store.ErrFailed) {
		t.Errorf("settlement of a dead session: got %v, want ErrFailed", err)
	}
	select {
	case <-s.Failure():
	default:
		t.Error("failure of a dead session: got none, want one")
	}
	_ = s.Close()
	after := opened(t, url)
	if got := after.Stats().Ready; got != 1 {
		t.Errorf("ready: got %d, want 1", got)
	}
}

func TestInvocationOfAnotherSessionIsNotSettled(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s := opened(t, url)
	inv := accepted(t, s)
	if _, err := s.LoadReady(t.Context(), at(inv)); err != nil {
		t.Fatalf("load: got %v, want no error", err)
	}
	run(t, url, "UPDATE queue_worker.pending SET owner = owner + 1")
	callback, err := finish(s, inv)
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("settlement: got %v, want ErrNotFound", err)
	}
	if _, err := s.Get(t.Context(), callback.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("callback: got %v, want ErrNotFound", err)
	}
	if _, err := s.LoadReady(t.Context(), at(inv)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("load: got %v, want ErrNotFound", err)
	}
	if got, err := s.Take(t.Context(), inv.Lane, store.Ready{}, 10); err != nil || len(got) != 0 {
		t.Errorf("take: got %v, %v, want nothing", got, err)
	}
}

func TestInFlightAtACrashIsReadyUntilItIsPoison(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s := opened(t, url)
	flying, waiting := accepted(t, s), accepted(t, s)
	for crashes := 1; crashes <= store.PoisonLimit; crashes++ {
		if _, err := s.LoadReady(t.Context(), at(flying)); err != nil {
			t.Fatalf("load: got %v, want no error", err)
		}
		killed(t, s)
		s = opened(t, url)
		if got := s.Recovered().InFlight; got != 1 {
			t.Errorf("in flight at crash %d: got %d, want 1", crashes, got)
		}
		inv, err := s.Get(t.Context(), flying.ID)
		if err != nil || inv.Crashes != crashes {
			t.Fatalf("crashes: got %+v, %v, want %d", inv, err, crashes)
		}
	}
	if got := s.Recovered().Poisoned; len(got) != 1 || got[0].ID != flying.ID {
		t.Errorf("poisoned: got %v, want the one that was in flight", got)
	}
	if got := s.Stats(); got.Dead != 1 || got.Ready != 1 || got.Difference() != 0 {
		t.Errorf("counts: got %+v, want 1 dead, 1 ready and no difference", got)
	}
	if inv, err := s.Get(t.Context(), waiting.ID); err != nil || inv.Crashes != 0 {
		t.Errorf("crashes of what was not in flight: got %+v, %v, want none", inv, err)
	}
}

func TestInFlightAtACleanEndCountsNoCrash(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s := opened(t, url)
	inv := accepted(t, s)
	if _, err := s.LoadReady(t.Context(), at(inv)); err != nil {
		t.Fatalf("load: got %v, want no error", err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("close: got %v, want no error", err)
	}
	s = opened(t, url)
	if got, err := s.Get(t.Context(), inv.ID); err != nil || got.Crashes != 0 || s.Recovered().InFlight != 0 {
		t.Errorf("after a clean end: got %+v, %v, %d in flight, want no crash", got, err, s.Recovered().InFlight)
	}
}

func TestNewerLayoutIsRefused(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	if err := opened(t, url).Close(); err != nil {
		t.Fatalf("close: got %v, want no error", err)
	}
	run(t, url, fmt.Sprintf("UPDATE queue_worker.meta SET layout = %d", len(upgrades)+1))
	if err := opened(t, url).Close(); err != nil {
		t.Fatalf("close beside the next layout: got %v, want no error", err)
	}
	run(t, url, fmt.Sprintf("UPDATE queue_worker.meta SET layout = %d", len(upgrades)+2))
	if _, err := Open(t.Context(), Options{URL: url}); !errors.Is(err, store.ErrNewer) {
		t.Errorf("open: got %v, want ErrNewer", err)
	}
}

func TestServersClockIsUsed(t *testing.T) {
	t.Parallel()
	s := opened(t, pgtest.Database(t))
	if got := time.Since(s.Now()).Abs(); got > time.Minute { // the server is on this machine
		t.Errorf("clock: got a difference of %s, want less than a minute", got)
	}
}

func TestLockThatIsLostIsTakenAgain(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s := opened(t, url)
	cutLocks(t, url)
	testkit.Eventually(t, "the lock to be taken again", func() bool {
		server, err := Inspect(t.Context(), url)
		return err == nil && server.Holder == t.Name()
	})
	if err := accept(s, newInvocation(s, "fn")); err != nil {
		t.Errorf("accept: got %v, want no error", err)
	}
	run(t, url, "UPDATE queue_worker.session SET state = 2")
	cutLocks(t, url)
	testkit.Eventually(t, "the store to fail after another worker had the lock", func() bool { return s.Failed() != nil })
}
