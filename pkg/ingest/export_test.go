package ingest

import (
	"testing"
	"time"

	"queue-worker/pkg/respond"
)

// What the tests of this package use beside the handlers.
const (
	BodyBytes   int64         = bodyBytes
	BodyGrace   time.Duration = bodyGrace
	BodyTimeout time.Duration = bodyTimeout
	MaxFields                 = maxFields
	RoomTimeout time.Duration = roomTimeout
	TakeTimeout time.Duration = takeTimeout
)

// InUse is the memory that bodies use.
func (i *Ingest) InUse() int64 { return i.room.inUse() }

// WantEmpty fails when an upload has memory, or waits for it.
func (i *Ingest) WantEmpty(t *testing.T) { t.Helper(); i.room.wantEmpty(t) }

// inUse is the memory that bodies use.
func (b *bodyRoom) inUse() (n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range []*pool{&b.small, &b.large} {
		for m := range p.members {
			n += m.upload.used
		}
	}
	return n
}

// wantEmpty fails when an upload has memory, or waits for it.
func (b *bodyRoom) wantEmpty(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range []*pool{&b.small, &b.large} {
		switch {
		case p.used != 0:
			t.Errorf("memory was not given back: %d bytes, %d of guests, %d uploads, %d wait, want used 0", p.used, p.guestsUsed, len(p.members), len(p.waiting))
		case p.guestsUsed != 0:
			t.Errorf("memory was not given back: %d bytes, %d of guests, %d uploads, %d wait, want guestsUsed 0", p.used, p.guestsUsed, len(p.members), len(p.waiting))
		case len(p.members) != 0:
			t.Errorf("memory was not given back: %d bytes, %d of guests, %d uploads, %d wait, want 0 members", p.used, p.guestsUsed, len(p.members), len(p.waiting))
		case len(p.waiting) != 0:
			t.Errorf("memory was not given back: %d bytes, %d of guests, %d uploads, %d wait, want 0 waiting", p.used, p.guestsUsed, len(p.members), len(p.waiting))
		}
	}
}

// Problems are all that are always the same.
func Problems() map[string]*respond.Problem {
	return map[string]*respond.Problem{
		"body":          problemBody,
		"queue_size":    problemQueueSize,
		"cut":           problemCut,
		"slow":          problemSlow,
		"crowded":       problemCrowded,
		"unsure":        problemUnsure,
		"name":          problemName,
		"unknown":       problemUnknown,
		"key":           problemKey,
		"full":          problemOfTaking(errFull),
		"draining":      problemOfTaking(errDraining),
		"not_connected": problemOfTaking(errNotConnected),
	}
}
