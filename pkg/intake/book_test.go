package intake

import (
	"testing"
	"time"

	"github.com/nats-io/stan.go"
	"github.com/nats-io/stan.go/pb"
	"pgregory.net/rapid"

	"queue-worker/pkg/invocation"
)

func emptyBook(l limits) *book {
	return newBook(l, newSignal(), newSignal(), newSignal(), newSignal())
}

func message(sequence uint64, size int) *stan.Msg {
	return &stan.Msg{MsgProto: pb.MsgProto{Subject: channel, Sequence: sequence, Timestamp: 1, Data: make([]byte, size)}}
}

// TestBookLaws runs deliveries, redeliveries, refusals, settlements and new
// subscriptions in any order against a book.
func TestBookLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const largest = 40
		l := limits{durable: rapid.Bool().Draw(t, "durable"), max: rapid.IntRange(1, 5).Draw(t, "max"), size: rapid.Int64Range(1, 100).Draw(t, "size")}
		b := emptyBook(l)
		w := &bookModel{T: t, book: b, taken: map[uint64]int{}, acked: map[uint64]bool{}}
		t.Repeat(map[string]func(*rapid.T){
			"deliver": func(t *rapid.T) {
				w.deliver(rapid.Uint64Range(1, 20).Draw(t, "sequence"), rapid.IntRange(0, largest).Draw(t, "bytes"))
			},
			"store": func(t *rapid.T) { w.answer(rapid.Bool().Draw(t, "refused")) },
			"settle": func(t *rapid.T) {
				if len(w.stored) > 0 {
					w.settle(rapid.IntRange(0, len(w.stored)-1).Draw(t, "which"), rapid.Bool().Draw(t, "callback"))
				}
			},
			"fetch":     func(*rapid.T) { w.fetch() },
			"reconnect": func(*rapid.T) { b.forgetParked() },
			"ack":       func(*rapid.T) { w.ack() },
			"":          func(t *rapid.T) { w.check(t, l, largest) },
		})
	})
}

// bookModel plays the server, the store and the worker.
type bookModel struct {
	*rapid.T
	book   *book
	queue  []*hold // handed out to the store
	stored []invocation.ID
	taken  map[uint64]int
	acked  map[uint64]bool
	sizes  [21]int
}

func (w *bookModel) deliver(sequence uint64, size int) {
	if w.sizes[sequence] == 0 {
		w.sizes[sequence] = size + 1
	}
	was := w.acked[sequence]
	switch v := w.book.deliver(0, message(sequence, w.sizes[sequence]-1)); v {
	case taken:
		// A durable book does not know what was acked: its store does.
		if was && !w.book.durable {
			w.Fatalf("%d was taken again after its ack", sequence)
		}
		w.taken[sequence]++
		delete(w.acked, sequence)
	case settled:
		if w.book.durable || w.taken[sequence] == 0 {
			w.Fatalf("%d is called settled", sequence)
		}
	case known, parked, ignored:
	}
}

func (w *bookModel) answer(refused bool) {
	w.queue = append(w.queue, w.book.takeAll()...)
	if len(w.queue) == 0 {
		return
	}
	h := w.queue[0]
	w.queue = w.queue[1:]
	switch {
	case refused:
		w.book.refused(h)
	case w.book.durable:
		w.book.done(h)
	default:
		w.stored = append(w.stored, h.id)
	}
}

func (w *bookModel) settle(which int, callback bool) {
	id := w.stored[which]
	if callback {
		w.stored[which] = invocation.NewID(time.Now())
		w.book.settle(id, w.stored[which])
		return
	}
	w.stored = append(w.stored[:which], w.stored[which+1:]...)
	w.book.settle(id, invocation.ID{})
}

// fetch reads what is parked, as the reading subscription does.
func (w *bookModel) fetch() {
	s, ok := w.book.parkedSpan(0, time.Now().Add(time.Hour))
	if !ok {
		return
	}
	for n := s.low; n <= s.high; n++ {
		if w.sizes[n] == 0 {
			continue
		}
		switch w.book.fetched(0, s.epoch, message(n, w.sizes[n]-1)) {
		case taken:
			w.taken[n]++
		case parked:
			return
		case known, settled, ignored:
		}
	}
}

func (w *bookModel) ack() {
	acks := w.book.ackAll()
	for _, m := range acks {
		if len(m.Data) > 0 {
			w.Fatal("an ack holds the message's bytes")
		}
		w.acked[m.Sequence] = true
	}
	w.book.sent(len(acks))
}

func (w *bookModel) check(t *rapid.T, l limits, largest int64) {
	b := w.book
	b.mu.Lock()
	defer b.mu.Unlock()
	var bytes int64
	for k, h := range b.holds {
		bytes += h.size
		if _, both := b.parked[k]; both {
			t.Fatalf("%v is unsettled and parked: both = true, want false", k)
		}
		if b.past.has(k) {
			t.Fatalf("%v is unsettled and settled: b.past.has(k) = true, want false", k)
		}
		if !l.durable && b.byID[h.id] != h {
			t.Fatalf("%v is not found by its id", k)
		}
	}
	switch {
	case bytes != b.bytes:
		t.Fatalf("%d messages of %d bytes (counted %d) unsettled, the bounds are %d and %d, want bytes %v", len(b.holds), bytes, b.bytes, l.max, l.size, b.bytes)
	case len(b.holds) > l.max:
		t.Fatalf("%d messages of %d bytes (counted %d) unsettled, the bounds are %d and %d, want at most %d holds", len(b.holds), bytes, b.bytes, l.max, l.size, l.max)
	case bytes >= l.size+largest:
		t.Fatalf("%d messages of %d bytes (counted %d) unsettled, the bounds are %d and %d, want bytes below %v", len(b.holds), bytes, b.bytes, l.max, l.size, l.size+largest)
	}
	if !l.durable && len(b.byID) != len(b.holds) {
		t.Fatalf("%d ids for %d messages", len(b.byID), len(b.holds))
	}
	if b.acking < len(b.acks) {
		t.Fatalf("%d acks queued, %d counted, want at least %d", len(b.acks), b.acking, len(b.acks))
	}
}

func TestPastForgetsInTimeAndIsBounded(t *testing.T) {
	t.Parallel()
	var p past
	now := time.Unix(0, 0)
	p.add(key{sequence: 1}, now)
	p.rotate(now.Add(pastPeriod - 1))
	p.rotate(now.Add(pastPeriod))
	if !p.has(key{sequence: 1}) {
		t.Error("forgotten before its time: p.has(key{sequence: 1}) = false, want true")
	}
	p.rotate(now.Add(2 * pastPeriod))
	if p.has(key{sequence: 1}) {
		t.Error("remembered for more than two periods: p.has(key{sequence: 1}) = true, want false")
	}
	for n := range uint64(3 * pastCount) {
		p.add(key{sequence: n}, now)
	}
	switch n := len(p.young) + len(p.old); {
	case n > 2*pastCount:
		t.Errorf("%d remembered, want at most %d", n, 2*pastCount)
	case !p.has(key{sequence: 3*pastCount - 1}):
		t.Errorf("%d remembered, the bound is %d: p.has(key{sequence: 3*pastCount - 1}) = false, want true", n, 2*pastCount)
	}
}

func TestWaitsEnd(t *testing.T) {
	t.Parallel()
	b := emptyBook(limits{durable: true, max: 1, size: 100})
	if err := b.waitIdle(0); err != nil {
		t.Errorf("an empty book is not idle: %v, want nil", err)
	}
	b.deliver(0, message(1, 1))
	if err := b.waitIdle(time.Millisecond); err == nil {
		t.Errorf("waited for nothing although something is unsettled: err = %v, want an error", err)
	}
	room := make(chan error)
	go func() { room <- b.waitRoom(t.Context()) }()
	b.done(b.takeAll()[0])
	if err := <-room; err != nil {
		t.Error(err)
	}
	if err := b.waitAcks(time.Millisecond); err == nil {
		t.Errorf("the ack is not sent yet: err = %v, want an error", err)
	}
	b.sent(len(b.ackAll()))
	if err := b.waitIdle(time.Minute); err != nil {
		t.Error(err)
	}
}
