// File handover.go keeps accepted invocations in memory until they are called, so that
// nothing is read back from the engine or decoded twice. It also knows which invocations
// no cancel has touched since they were loaded: their settlement needs no look-up.
//
//	accept, committed --> kept --> LoadReady --> loaded --> Settle
//	                       |                       |
//	                       +---- cancel, bulk -----+--> forgotten: read from the engine
//
// Memory is trusted only for an invocation whose id is here. Whatever changes an
// invocation while it is pending removes the id when it is staged. What does not fit is read
// in its order, see ahead.go.

package embedded

import (
	"context"
	"sync"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

const (
	// acceptedBytes bounds the memory of accepted invocations that are kept. Together with
	// aheadBytes it is 4 MiB.
	acceptedBytes = 4<<20 - aheadBytes
	// handoverAge is how long an invocation stays kept while others want its room: one
	// that is not called by then belongs to a lane that is held back.
	handoverAge = time.Second
	// keptOverhead is what a kept invocation takes beside its request: record, index, and
	// the header of a decoded request.
	keptOverhead = 1300
)

// kept is an accepted invocation in memory, and its neighbours in the order of arrival.
type kept struct {
	inv          invocation.Invocation
	raw          []byte
	inline       bool // raw is stored in the record
	request      *invocation.Request
	at           time.Time
	older, newer *kept
}

func newKept(a *store.Accept) *kept {
	return &kept{inv: *a.Inv, raw: a.Raw, inline: isInline(a.Raw), request: a.Request}
}

// size is its memory in bytes. A decoded request points into raw.
func (k *kept) size() int { return len(k.raw) + keptOverhead }

// handover is safe for use by many goroutines at once.
type handover struct {
	mu     sync.Mutex
	byID   map[invocation.ID]*kept
	ends   kept // a ring: ends.newer is the oldest, ends.older the newest
	bytes  int
	loaded map[invocation.ID]body // of which only inline is known
	// acting: a batch that changes pending invocations is staged and not yet applied, so
	// that what is read from the engine may be out of date.
	acting bool
	ahead  ahead
	room   int // for accepted invocations, in bytes
}

func newHandover(room int) *handover {
	h := &handover{room: room, byID: map[invocation.ID]*kept{}, loaded: map[invocation.ID]body{}, ahead: newAhead()}
	h.ends.older, h.ends.newer = &h.ends, &h.ends
	return h
}

// committed keeps what a batch has accepted, as far as there is room. It is called after
// the batch was applied and before the watcher hears of it.
func (h *handover) committed(fresh []*kept, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acting = false
	h.ahead.applied()
	for _, k := range fresh {
		for h.bytes > 0 && h.bytes+k.size() > h.room && now.Sub(h.ends.newer.at) > handoverAge {
			h.remove(h.ends.newer)
		}
		if h.bytes+k.size() <= h.room {
			k.at = now
			h.add(k)
		}
	}
}

func (h *handover) add(k *kept) {
	k.older, k.newer = h.ends.older, &h.ends
	k.older.newer, h.ends.older = k, k
	h.byID[k.inv.ID] = k
	h.bytes += k.size()
}

func (h *handover) remove(k *kept) {
	k.older.newer, k.newer.older = k.newer, k.older
	k.older, k.newer = nil, nil
	delete(h.byID, k.inv.ID)
	h.bytes -= k.size()
}

// load takes an invocation out of memory: as it was kept, or the record that was read
// ahead, or neither. From then on, unless unsure, its settlement needs no look-up.
func (h *handover) load(id invocation.ID) (k *kept, record []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if k = h.byID[id]; k != nil {
		h.remove(k)
		h.loaded[id] = body{inline: k.inline}
		return k, nil
	}
	switch record = h.ahead.take(id); {
	case record != nil:
		h.loaded[id] = body{inline: true}
	case !h.acting:
		h.loaded[id] = body{} // until it was read
	}
	return nil, record
}

// read notes where the engine has the request of an invocation that load did not find.
func (h *handover) read(id invocation.ID, inline bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, sure := h.loaded[id]; sure {
		h.loaded[id] = body{inline: inline}
	}
}

// forget distrusts memory for an invocation that an operation is about to change. It
// reports whether the invocation was loaded and untouched: then it is where LoadReady
// found it, and was says where its request is.
func (h *handover) forget(id invocation.ID) (was body, sure bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.distrust(id)
}

// distrust is forget for those who have the lock.
func (h *handover) distrust(id invocation.ID) (was body, sure bool) {
	if k := h.byID[id]; k != nil {
		h.remove(k)
	}
	h.ahead.forget(id)
	was, sure = h.loaded[id]
	delete(h.loaded, id)
	return was, sure
}

// act is forget for an operation other than a settlement. Both are one step: a load in between would
// trust what it reads before the batch is applied.
func (h *handover) act(id invocation.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.distrust(id)
	h.acting = true
}

// LoadReady reads a ready invocation, in order to call it. ErrNotFound means that it is
// no longer there, or in another place. What it returns is the caller's.
func (s *Store) LoadReady(_ context.Context, r store.Ready) (store.Loaded, error) {
	if err := s.Failed(); err != nil {
		return store.Loaded{}, err
	}
	l, err := s.loadReady(r)
	if err == nil && !holds(r, l.Inv) {
		err = store.ErrNotFound
	}
	if err != nil {
		s.handover.forget(r.ID)
		return store.Loaded{}, err
	}
	return l, nil
}

// holds reports whether an invocation stands where r says, as far as its record shows.
func holds(r store.Ready, inv *invocation.Invocation) bool {
	return inv.State == invocation.Pending && inv.Lane == r.Lane && sameStamp(inv.Since, r.Since)
}

func (s *Store) loadReady(r store.Ready) (store.Loaded, error) {
	k, ahead := s.handover.load(r.ID)
	if k != nil {
		return store.Loaded{Inv: &k.inv, Raw: k.raw, Request: k.request}, nil
	}
	if err := s.enter(); err != nil {
		return store.Loaded{}, err
	}
	defer s.leave()
	if ahead != nil {
		if inv, raw, err := record.DecodeInline(r.ID, ahead); err == nil && holds(r, inv) {
			s.readAhead(r.ID, false)
			return store.Loaded{Inv: inv, Raw: raw}, nil
		}
	}
	inv, raw, inline, err := s.load(r.ID)
	if err == nil {
		s.handover.read(r.ID, inline)
	}
	if inline {
		s.readAhead(r.ID, true)
	}
	return store.Loaded{Inv: inv, Raw: raw}, err
}
