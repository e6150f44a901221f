package embedded

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// changeReader reads each invocation when its change is reported, which a Watcher must not do in
// general but this engine can bear.
type changeReader struct {
	*Store
	found []error
	came  []error
}

func (*changeReader) Ready([]store.Ready) {}
func (*changeReader) Due(time.Time)       {}

func (r *changeReader) Changing(changes []store.Change) func(error) {
	for _, c := range changes {
		_, err := r.get(c.Inv.ID)
		r.found = append(r.found, err)
	}
	return func(err error) { r.came = append(r.came, err) }
}

// open opens a store and accepts an invocation.
func (r *changeReader) open(t *testing.T, fsys vfs.FS) *invocation.Invocation {
	t.Helper()
	s, err := Open(Options{Dir: "data", FS: fsys, Watcher: r})
	if err != nil {
		t.Fatal(err)
	}
	r.Store = s
	t.Cleanup(func() { _ = s.Close() })
	now := time.Now()
	inv := &invocation.Invocation{ID: invocation.NewID(now), CallID: "call-1", Lane: invocation.Lane{Queue: "q", Name: "fn"}, Accepted: now, Since: now}
	done := make(chan error, 1)
	s.Accept(store.Accept{Inv: inv, Raw: []byte("{}")}, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return inv
}

// TestAnEndIsReportedBeforeItCanBeRead: a reader that finds nothing in the store finds it with
// the watcher.
func TestAnEndIsReportedBeforeItCanBeRead(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(r *changeReader, inv *invocation.Invocation) error{
		"settled": func(r *changeReader, inv *invocation.Invocation) error {
			return r.Settle(t.Context(), store.Settlement{At: store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}, Outcome: invocation.OutcomeDone, Inv: inv})
		},
		"cancelled": func(r *changeReader, inv *invocation.Invocation) error {
			_, err := r.Cancel(t.Context(), inv.ID)
			return err
		},
		"expired": func(r *changeReader, inv *invocation.Invocation) error {
			dead := *inv
			dead.State, dead.DiedAt = invocation.Dead, time.Now().Add(-time.Hour)
			err := r.Settle(t.Context(), store.Settlement{At: store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}, Outcome: invocation.OutcomeDead, Inv: &dead})
			if err != nil {
				return err
			}
			_, err = r.Expire(t.Context(), store.Bounds{MaxAge: time.Minute})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &changeReader{}
			inv := r.open(t, vfs.NewMem())
			if err := remove(r, inv); err != nil {
				t.Fatal(err)
			}
			last := len(r.found) - 1
			if err := r.found[last]; err != nil {
				t.Errorf("when its end is reported, get gives %v, want nil", err)
			}
			if err := r.came[last]; err != nil {
				t.Errorf("the end came to %v, want nil", err)
			}
			if _, err := r.Get(t.Context(), inv.ID); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("afterwards get gives %v, want ErrNotFound", err)
			}
		})
	}
}

// TestAnEndThatCannotBeWrittenIsTakenBack: what is not durable has not happened.
func TestAnEndThatCannotBeWrittenIsTakenBack(t *testing.T) {
	t.Parallel()
	toggle := errorfs.Toggle{Injector: broken{"*.log", append(syncs, writes...), syscall.EIO}}
	r := &changeReader{}
	inv := r.open(t, errorfs.Wrap(vfs.NewMem(), &toggle))
	toggle.On()
	if _, err := r.Cancel(t.Context(), inv.ID); !errors.Is(err, store.ErrFailed) {
		t.Fatalf("cancel on a failed disk gives %v, want ErrFailed", err)
	}
	if got, want := len(r.came), 2; got != want {
		t.Fatalf("%d batches came to something, want %d", got, want)
	}
	if err := r.came[1]; !errors.Is(err, store.ErrFailed) {
		t.Errorf("the end came to %v, want ErrFailed", err)
	}
}
