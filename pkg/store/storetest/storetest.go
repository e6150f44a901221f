// Package storetest is the contract of a store: what any store has to do for
// the intake, the worker and the API. Run tests a store against all of it, Model
// compares it with a simple model.
//
// What only one engine can do, such as surviving a power cut, is tested beside that engine.
package storetest

import (
	"context"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Store is what the contract is about. The comments of store.Store say what each
// method does.
type Store interface {
	Accept(store.Accept, func(error))
	Settle(context.Context, store.Settlement) error

	NextReady(lane invocation.Lane, from store.Ready, limit int) ([]store.Ready, error)
	Load(invocation.ID) (*invocation.Invocation, []byte, error)
	LoadReady(store.Ready) (store.Loaded, error)
	Get(invocation.ID) (*invocation.Invocation, error)
	FindCall(callID string, limit int) ([]*invocation.Invocation, error)

	NextDue() time.Time
	MoveDue(context.Context) (more bool, err error)

	Letters(ctx context.Context, f store.Filter, cursor string, limit int) (store.LetterPage, error)
	Groups(context.Context, store.Filter) ([]store.Group, error)
	Replay(context.Context, invocation.ID) error
	Drop(context.Context, invocation.ID) error
	Expire(context.Context, store.Bounds) (store.Expired, error)

	Act(context.Context, store.Batch) ([]store.Taken, error)
	Cancel(context.Context, invocation.ID) (*invocation.Invocation, error)
	Pending(ctx context.Context, f store.PendingFilter, cursor string, limit int) ([]*invocation.Invocation, string, error)
	Oldest(invocation.Lane) (time.Time, bool)
	Claim(ctx context.Context, k store.Key, id invocation.ID, callID string) error
	Unclaim(context.Context, store.Key) error
	Result(id invocation.ID, withBody bool) (*store.Result, error)
	ResultsOf(callID string, limit int) ([]*store.Result, error)
	Sweep(context.Context) (int, error)
	PutNote(context.Context, store.Note) error
	Notes(prefix string) map[string][]byte

	Stats() store.Stats
	Lanes() map[invocation.Lane]store.LaneStats
	Rest() map[string]store.LaneStats
	Lane(invocation.Lane) store.LaneStats
	Adopt(context.Context, []invocation.Lane) error
	ReadyLanes(from invocation.Lane, urls bool, limit int) ([]invocation.Lane, error)
	Err() error
	Full() error
	Health() error
	Failed() error
	Durable() bool
	Close() error
}

var _ Store = (*store.Store)(nil)

// Kind is one kind of store.
type Kind struct {
	// New makes an empty place and returns what opens a store in it. Opened
	// again after Close, a durable store has what it had.
	New func(testing.TB) func(store.Options) (Store, error)
	// Durable is what its stores say of themselves.
	Durable bool
}

// test is one sentence of the contract.
type test struct {
	name string
	run  func(*world)
}

// Run holds a kind of store against the contract.
func Run(t *testing.T, k Kind) {
	groups := []struct {
		name  string
		tests []test
	}{
		{"accepting", accepting}, {"the door", door}, {"settling", settling}, {"handing over", handover}, {"falling due", fallingDue},
		{"the dead set", deadSet}, {"letters by filter", letters}, {"acts", acts}, {"what is pending", pending},
		{"taking once", once}, {"results", results}, {"notes", notes}, {"its life", life}, {"many at once", crowd},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			for _, x := range g.tests {
				t.Run(x.name, func(t *testing.T) {
					t.Parallel()
					x.run(newWorld(t, k))
				})
			}
		})
	}
}
