// File backlog.go refuses messages before NATS Streaming would remove unread ones.

package stanserver

import (
	"errors"
	"sync"
	"time"
)

// The bytes of messages that the worker has not accepted yet may come to
// 1/backlogShare of what a channel keeps; a publisher gets an error beyond that. Of the
// messages that are there at the start only a bound is known: 1/startShare of what the
// channel keeps is reserved for them.
const (
	backlogShare = 2
	startShare   = 4
)

// messageOverhead is what NATS Streaming counts beside a message's data and queue.
const messageOverhead = 64

// quietPeriod is how long nothing must have been published for the state of the server to
// be the whole truth.
const quietPeriod = 2 * time.Second

// askPeriod is how often the server is asked at most.
const askPeriod = 100 * time.Millisecond

// errBacklog says why a message is refused.
var errBacklog = errors.New("the worker cannot take in messages as fast as they are published; publish again later")

// backlog counts, for each queue, the messages that the worker has not accepted yet: NATS
// Streaming removes the oldest messages of a channel that is full, accepted or not,
// without an error.
//
// A message is counted before the server gets it. One that never arrives there, because
// its connection broke, is counted too; the count is corrected when a message is refused
// and nothing was published for quietPeriod.
type backlog struct {
	kept   int64 // bytes that a channel keeps
	isRead func(queue string) bool

	mu     sync.Mutex
	queues map[string]*unread
}

// unread is the backlog of one queue.
type unread struct {
	bytes     int64     // of messages that were published since the start
	published time.Time // the latest of them
	asked     time.Time // when the server was asked last
	initial   initial
}

// initial is what a channel held at the start.
type initial struct {
	last  uint64 // sequence
	count int    // messages that were not accepted
	bytes int64  // of all its messages, of which those are a part
}

func newBacklog(kept int64) *backlog {
	return &backlog{kept: kept, queues: make(map[string]*unread), isRead: func(string) bool { return false }}
}

func (b *backlog) queue(name string) *unread {
	u := b.queues[name]
	if u == nil {
		u = &unread{}
		b.queues[name] = u
	}
	return u
}

// begin notes what a channel holds at the start.
func (b *backlog) begin(queue string, i initial) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue(queue).initial = i
}

// costOf is what NATS Streaming counts for a message.
func costOf(queue string, size int) int64 { return int64(len(queue) + size + messageOverhead) }

// reserve counts a message that is about to be published. After errBacklog it must not be.
func (b *backlog) reserve(queue string, size int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	u, cost := b.queue(queue), costOf(queue, size)
	if !b.fits(u, cost) {
		b.correct(queue, u)
	}
	if !b.fits(u, cost) {
		return errBacklog
	}
	u.bytes += cost
	u.published = time.Now()
	return nil
}

// correct forgets what was counted if the server says that all messages are read. Messages
// that are on their way there for longer than quietPeriod are forgotten too: together with
// as many new ones they still fit into the channel.
func (b *backlog) correct(queue string, u *unread) {
	now := time.Now()
	if now.Sub(u.published) < quietPeriod || now.Sub(u.asked) < askPeriod {
		return
	}
	u.asked = now
	b.mu.Unlock() // the server may wait for its disk
	read := b.isRead(queue)
	b.mu.Lock()
	if read && now.Sub(u.published) >= quietPeriod {
		u.bytes, u.initial.count = 0, 0
	}
}

// fits reports whether a message may be published. One that is larger than the bound fits
// when it is the only one.
func (b *backlog) fits(u *unread, cost int64) bool {
	before := u.bytes
	if u.initial.count > 0 {
		before += min(u.initial.bytes, b.kept/startShare)
	}
	return before == 0 || before+cost <= b.kept/backlogShare
}

// accepted notes that the worker has accepted a message, or will never get it. first: it
// was not delivered before.
func (b *backlog) accepted(queue string, sequence uint64, size int, first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.queue(queue)
	switch {
	case sequence <= u.initial.last:
		u.initial.count = max(u.initial.count-1, 0)
	case first:
		u.bytes = max(u.bytes-costOf(queue, size), 0)
	}
}
