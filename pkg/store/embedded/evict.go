// File evict.go chooses the dead letters that dead_set_max_bytes removes: the oldest of the
// class that uses most bytes, so that one sender does not evict the letters of others.

package embedded

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Bounds of one step: functions that Bounds.Known is asked about, and those whose answers
// are kept until the dead set is within its bounds.
const (
	mostAsked   = 500
	mostAnswers = 50_000
)

// eviction is what one run of steps of Expire remembers: it ends with a step that has
// nothing to remove.
type eviction struct {
	mu    sync.Mutex
	known map[string]bool   // answers of Bounds.Known
	from  map[string][]byte // by class: no letter that can be removed comes before it
}

// evictStep is one step: what is asked and what is chosen.
type evictStep struct {
	*eviction
	ctx   context.Context
	s     *Store
	b     store.Bounds
	asked int // functions that were asked about
}

func (v *eviction) step(ctx context.Context, s *Store, b store.Bounds) (store.Expired, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known == nil || len(v.known) > mostAnswers {
		v.known, v.from = map[string]bool{}, map[string][]byte{}
	}
	var x store.Expired
	var err error
	if s.Stats().DeadBytes > b.MaxBytes {
		x, err = (&evictStep{eviction: v, ctx: ctx, s: s, b: b}).run()
	}
	if len(x.Letters) == 0 {
		v.known, v.from = nil, nil
	}
	return x, err
}

// run removes letters of the largest class that has any that can be removed. What a walk
// learns of functions may change which class that is, so it then chooses again.
func (e *evictStep) run() (store.Expired, error) {
	barren := map[string]bool{} // classes without a letter that can be removed
	for e.ctx.Err() == nil {
		e.asked = 0
		class, excess := e.largest(barren)
		if class == "" {
			return store.Expired{}, nil
		}
		c, err := e.choose(class, excess)
		if err != nil {
			return store.Expired{}, err
		}
		if c.unsettled() {
			if err := e.settle(c); err != nil {
				return store.Expired{}, err
			}
			continue
		}
		if len(c.letters) > 0 {
			o := &bytesOp{maxBytes: e.b.MaxBytes, chosen: c.letters}
			if err := e.s.doAlone(e.ctx, o.stage); err != nil {
				return store.Expired{}, err // the committer may still be at work on o
			}
			return store.Expired{Class: class, Letters: o.taken}, nil
		}
		barren[class] = true
	}
	return store.Expired{}, e.ctx.Err()
}

// largest returns the class that uses most and by how much it is above the level that
// brings all within the bound. Functions are asked about from the largest on; those
// beyond mostAsked count as unknown here, and none of their letters is removed unasked.
func (e *evictStep) largest(barren map[string]bool) (class string, excess int64) {
	sizes, names := e.s.deadBytesByName()
	order := slices.SortedFunc(maps.Keys(names), func(a, b string) int {
		return cmp.Or(cmp.Compare(names[b], names[a]), cmp.Compare(a, b))
	})
	for _, name := range order {
		if class, sure := e.class(name); sure {
			sizes[class] += names[name]
		} else {
			sizes[store.ClassUnknown] += names[name]
		}
	}
	for c, n := range sizes { // "(" sorts before names: among equals a function comes last
		if !barren[c] && n > 0 && (class == "" || n > sizes[class] || n == sizes[class] && c < class) {
			class = c
		}
	}
	return class, max(1, sizes[class]-level(slices.Collect(maps.Values(sizes)), e.b.MaxBytes))
}

// level is what each class may use at most so that all together use no more than limit.
func level(sizes []int64, limit int64) int64 {
	slices.Sort(sizes)
	for i, n := range sizes {
		share := limit / int64(len(sizes)-i)
		if n > share {
			return share
		}
		limit -= n
	}
	return limit
}

// class returns the class of a lane by its name, and queries Known when it has to; not sure means
// that too many functions have been asked about in this step.
func (e *evictStep) class(name string) (class string, sure bool) {
	class, sure = e.recall(name)
	if sure || e.asked == mostAsked || e.ctx.Err() != nil {
		return class, sure
	}
	e.asked++
	e.known[name] = e.b.Known(e.ctx, name)
	return e.recall(name)
}

// recall is class without asking.
func (e *evictStep) recall(name string) (class string, sure bool) {
	if invocation.IsCallbackLane(name) {
		return store.ClassCallbacks, true
	}
	known, sure := e.known[name]
	if known {
		return name, true
	}
	return store.ClassUnknown, sure || name == "" || e.b.Known == nil
}

// settle asks about functions and has lanes of known ones counted by themselves: their bytes
// counted as those of unknown functions until then. Where there is no room for more counts,
// which takes thousands of known functions beside a flood of names, they stay among these.
func (e *evictStep) settle(c *choice) error {
	e.asked = 0
	for l := range c.untold {
		if class, _ := e.class(l.Name); class == l.Name && e.uncounted(l) {
			c.uncounted[l] = true
		}
	}
	if len(c.uncounted) == 0 {
		return nil
	}
	err := e.s.Adopt(e.ctx, slices.Collect(maps.Keys(c.uncounted)))
	for l := range c.uncounted {
		if e.uncounted(l) {
			e.known[l.Name] = false
		}
	}
	return err
}

// choice is what a walk finds: letters to remove, or what has to be settled first.
type choice struct {
	class     string
	excess    int64
	letters   []*invocation.Invocation
	untold    map[invocation.Lane]bool // lanes of functions to ask about
	uncounted map[invocation.Lane]bool // lanes of known functions to adopt
	last      []byte                   // key of the latest entry that was visited
}

// unsettled reports whether the walk has to be repeated, maybe for another class.
func (c *choice) unsettled() bool { return len(c.untold)+len(c.uncounted) > 0 }

// full reports whether the walk can end.
func (c *choice) full() bool {
	return c.excess <= 0 || len(c.letters) == expireStep || max(len(c.untold), len(c.uncounted)) == mostAsked
}

// choose reads the oldest letters of a class, up to one step or excess bytes. It reads
// outside of the committer, queries nothing, and continues where the step before it has ended.
func (e *evictStep) choose(class string, excess int64) (*choice, error) {
	c := &choice{class: class, excess: excess, untold: map[invocation.Lane]bool{}, uncounted: map[invocation.Lane]bool{}}
	if err := e.s.enter(); err != nil {
		return nil, err
	}
	defer e.s.leave()
	lower := deadPrefix
	if from := e.from[class]; from != nil {
		lower = bytes.Clone(from)
	}
	left := newLook()
	err := e.s.each(lower, after(deadPrefix), func(key, value []byte) (bool, error) {
		if err := left.next(e.ctx); err != nil {
			return false, err
		}
		if c.full() || c.unsettled() && left.over() || e.s.closing() {
			return false, nil
		}
		e.visit(c, key, value)
		return true, nil
	})
	if c.last != nil && !c.unsettled() {
		e.from[class] = c.last
	}
	return c, e.s.unlessOver(e.ctx, err)
}

// visit takes one index entry. After one of a function that has to be asked about or counted
// first, it only looks for further ones.
func (e *evictStep) visit(c *choice, key, value []byte) {
	x, err := parseEntry(inDead, key, value)
	class, sure := e.recall(x.lane.Name)
	if err == nil && c.class == store.ClassUnknown {
		switch {
		case !sure:
			c.untold[x.lane] = true
		case class == x.lane.Name && e.uncounted(x.lane):
			c.uncounted[x.lane] = true
		}
	}
	if c.unsettled() {
		return
	}
	c.last = append(c.last[:0], key...)
	if err != nil || class != c.class { // a damaged entry was noted when it was counted
		return
	}
	if inv, err := e.s.get(x.id); err == nil && inv.State == invocation.Dead {
		c.letters = append(c.letters, inv)
		c.excess -= int64(inv.StoredBytes())
	}
}

// uncounted reports whether the bytes of a lane may count as those of unknown functions.
func (e *evictStep) uncounted(l invocation.Lane) bool {
	_, counted := e.s.counts.lane(l)
	return !counted
}

// deadBytesByName returns the bytes of dead letters: sizes of the callbacks and of what is
// not counted by lane, which belongs to the unknown functions, and names of functions.
func (s *Store) deadBytesByName() (sizes, names map[string]int64) {
	c := &s.counts
	c.mu.Lock()
	defer c.mu.Unlock()
	names = map[string]int64{}
	rest := c.total.DeadBytes - c.callbacks
	for l, n := range c.lanes {
		if n.DeadBytes > 0 && !invocation.IsCallbackLane(l.Name) {
			names[l.Name] += n.DeadBytes
			rest -= n.DeadBytes
		}
	}
	return map[string]int64{store.ClassCallbacks: c.callbacks, store.ClassUnknown: rest}, names
}
