// Package storetest is the contract of a store: what any store has to do for
// the intake, the worker and the API. Run tests a store against all of it, Model
// compares it with a simple model.
//
// What only one engine can do, such as surviving a power cut, is tested beside that engine.
package storetest

import (
	"slices"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Options are what the suite opens a store with.
type Options struct {
	Slots   int
	Now     func() time.Time
	Watcher store.Watcher
	// EndTTL is how long ends are remembered, 0 for not at all; EndBytes bounds them, 0 for no bound.
	EndTTL   time.Duration
	EndBytes int64
	// LastCallback makes the callback of a replayed invocation that is cancelled; nil for none.
	LastCallback func(inv *invocation.Invocation, raw []byte) *store.Accept
}

// Kind is one kind of store.
type Kind struct {
	// New makes an empty place and returns what opens a store in it. Opened
	// again after Close, a durable store has what it had.
	New func(testing.TB) func(Options) (store.Store, error)
	// Durable is what its stores say of themselves.
	Durable bool
	// Short are the groups that Run tests with -short, nil for all: those in which many act at
	// once are for the race detector, the others cost a slow store much and show it nothing.
	Short []string
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
		{"accepting", accepting}, {"sources", sources}, {"settling", settling}, {"answers", answers}, {"handing over", handover}, {"falling due", fallingDue}, {"deadlines", deadlines},
		{"the dead set", deadSet}, {"letters by filter", letters}, {"acts", acts}, {"counts of jobs", tallying}, {"superseding", superseding}, {"what is pending", pending},
		{"taking once", once}, {"results", results}, {"ends", ends}, {"notes", notes}, {"changes", changes}, {"items", items}, {"its life", life}, {"many at once", crowd},
	}
	for _, g := range groups {
		if testing.Short() && k.Short != nil && !slices.Contains(k.Short, g.name) {
			continue
		}
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
