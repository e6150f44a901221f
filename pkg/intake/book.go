package intake

import (
	"sync"
	"time"

	"github.com/nats-io/stan.go"

	"queue-worker/pkg/invocation"
)

// key is the identity of a message. The timestamp is part of it because a server
// that keeps its messages in memory begins again at sequence 1.
type key struct {
	queue     int // index in Options.Channels
	sequence  uint64
	timestamp int64
}

// hold is a message that was taken and is not acked yet.
type hold struct {
	key  key
	id   invocation.ID
	size int64
	raw  []byte // until it is handed to the store
	// msg is what to ack: the latest delivery, because an ack only counts on the
	// subscription that delivered. Its data is gone.
	msg   *stan.Msg
	epoch int  // of that delivery
	first bool // it was not delivered before
}

// limits bound the unsettled messages.
type limits struct {
	durable bool
	max     int   // messages
	size    int64 // bytes
}

// delivery is what becomes of a delivered message.
type delivery uint8

const (
	taken   delivery = iota // it is new and unsettled now
	known                   // it is unsettled already; only the way to ack it is new
	settled                 // it was settled before; it is acked again
	parked                  // there is no room; its key is kept, to fetch it later
	ignored                 // the intake drains; another worker will get it
)

// refusalPause is how long the intake lets a store alone that refused a message.
const refusalPause = time.Second

// book keeps the unsettled messages. It does no I/O, and its methods do not block, so
// that the connection's reader never waits: what the worker has no room for is
// let go at once, and only its key stays.
//
// A message leaves the book in one of these ways:
//
//	taken --> stored --> ack                     (durable)
//	taken --> stored --> settled --> ack         (not durable)
//	taken --> not stored: parked --> fetched again
type book struct {
	limits
	toTake, toAck, review, watch signal
	identify                     func(key) invocation.ID // what a message is called from then on

	mu        sync.Mutex
	holds     map[key]*hold
	byID      map[invocation.ID]*hold // without a durable store only
	bytes     int64
	hadRoom   bool // room as it was last announced
	pressed   bool // bytes reached the bound and are not down to 3/4 of it yet
	full      bool // the store has no room
	draining  bool // nothing new will be taken any more
	parked    map[key]struct{}
	epoch     int       // counts the subscriptions; what is parked belongs to the current one
	notBefore time.Time // when what is parked may be fetched
	past      past
	queue     []*hold
	acks      []*stan.Msg
	acking    int           // acks queued or being sent
	acked     uint64        // acks that were sent, or given up
	waiting   int           // callers of waitFor
	changed   chan struct{} // closed and replaced to wake them
}

func newBook(l limits, toTake, toAck, review, watch signal) *book {
	return &book{
		limits: l, toTake: toTake, toAck: toAck, review: review, watch: watch,
		holds: make(map[key]*hold), byID: make(map[invocation.ID]*hold), parked: make(map[key]struct{}),
		changed: make(chan struct{}), hadRoom: true,
		identify: func(key) invocation.ID { return invocation.NewID(time.Now()) },
	}
}

// deliver decides about a message of the main subscription, and takes it when it is new
// and there is room. m's data then belongs to the book.
func (b *book) deliver(queue int, m *stan.Msg) delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := key{queue, m.Sequence, m.Timestamp}
	if h, ok := b.holds[k]; ok {
		m.Data, h.msg, h.epoch = nil, m, b.epoch
		return known
	}
	if b.past.has(k) {
		b.ack(m)
		return settled
	}
	if b.draining {
		return ignored
	}
	if !b.room() {
		b.parked[k] = struct{}{}
		b.review.raise()
		return parked
	}
	b.take(k, m)
	return taken
}

// fetched takes a message that was parked in an epoch and is read again by another
// subscription; m acks it on the main one of that epoch. parked: there is no room
// after all, try again; taken: it is unsettled; otherwise it is ignored.
func (b *book) fetched(queue, epoch int, m *stan.Msg) delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := key{queue, m.Sequence, m.Timestamp}
	if _, ok := b.parked[k]; !ok || epoch != b.epoch {
		return known
	}
	if b.draining {
		return ignored
	}
	if !b.room() {
		return parked
	}
	b.take(k, m)
	return taken
}

func (b *book) take(k key, m *stan.Msg) {
	h := &hold{key: k, id: b.identify(k), size: int64(len(m.Data)), raw: m.Data, msg: m, epoch: b.epoch, first: !m.Redelivered}
	m.Data = nil
	delete(b.parked, k)
	b.holds[k] = h
	if !b.durable {
		b.byID[h.id] = h
	}
	b.queue = append(b.queue, h)
	b.toTake.raise()
	b.grow(h.size)
}

// rename gives a hold another id, the one that its message brought along. It
// reports false, and changes nothing, when another unsettled message has that id.
func (b *book) rename(h *hold, id invocation.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.durable {
		h.id = id
		return true
	}
	if _, taken := b.byID[id]; taken {
		return false
	}
	delete(b.byID, h.id)
	h.id = id
	b.byID[id] = h
	return true
}

// takeAll returns the messages for the store, oldest first.
func (b *book) takeAll() []*hold {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queue
	b.queue = nil
	return q
}

// done ends a hold: its message may be acked, on whatever subscription has
// delivered it last. With a durable store that is after the commit.
func (b *book) done(h *hold) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.finish(h)
}

func (b *book) finish(h *hold) {
	if b.holds[h.key] != h {
		return
	}
	if !b.durable {
		b.past.add(h.key, time.Now())
	}
	b.ack(h.msg)
	b.release(h)
}

// refused ends a hold that the store did not take. It is not acked, and fetched
// again when there is room.
func (b *book) refused(h *hold) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.holds[h.key] != h {
		return
	}
	b.release(h)
	if h.epoch == b.epoch {
		b.parked[h.key] = struct{}{} // from another subscription it comes by itself
		b.notBefore = time.Now().Add(refusalPause)
	}
}

// settle ends the hold of an id, or hands it over to a successor.
func (b *book) settle(id, successor invocation.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h, ok := b.byID[id]
	if !ok {
		return
	}
	if successor.IsZero() {
		b.finish(h)
		return
	}
	delete(b.byID, id)
	h.id = successor
	b.byID[successor] = h
}

func (b *book) release(h *hold) {
	delete(b.holds, h.key)
	delete(b.byID, h.id)
	b.grow(-h.size)
}

// grow changes the unsettled bytes, after the unsettled messages, and wakes the goroutines that wait
// for room or for the end.
func (b *book) grow(n int64) {
	b.bytes += n
	switch {
	case b.bytes >= b.size:
		b.pressed = true
	case b.bytes <= b.size*3/4:
		b.pressed = false
	}
	b.announce()
}

// announce reports a change.
func (b *book) announce() {
	if room := b.room(); room != b.hadRoom {
		b.hadRoom = room
		b.watch.raise()
		b.review.raise()
	}
	b.wake()
}

// room reports whether one more message may be taken.
func (b *book) room() bool {
	return !b.full && !b.pressed && len(b.holds) < b.max
}

func (b *book) ack(m *stan.Msg) {
	m.Data = nil // an ack needs the sequence alone
	b.acks = append(b.acks, m)
	b.acking++
	b.toAck.raise()
}

// ackAll returns the messages to ack; sent must follow.
func (b *book) ackAll() []*stan.Msg {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.acks
	b.acks = nil
	return a
}

// sent says that n acks are on their way.
func (b *book) sent(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.acking -= n
	b.acked += uint64(n) // #nosec G115 -- a length
	b.wake()
}
