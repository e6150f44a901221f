// Package pause keeps the paused functions: which, by whom, why and until when.
//
// A pause is a small durable note in the store, so that it survives a restart, and a pause
// of the lanes, which start no calls of the function meanwhile. The note is written before
// the lanes are paused, and deleted before they are resumed: after a crash at any point a
// function is paused exactly if its note exists and has not expired.
//
// The package calls no function and knows no HTTP. Calls in flight are the lanes' concern.
package pause

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"queue-worker/pkg/store"
)

// notePrefix begins the names of notes; the name of the lane follows.
const notePrefix = "pause/"

// Bounds of a pause, in bytes, and of their number.
const (
	MaxReason = 1 << 10
	MaxAuthor = 256
	mostOfAll = 1000
)

// longestSleep bounds how long the timer sleeps, because the times are of the wall
// clock and that may be set.
const longestSleep = 10 * time.Second

// ErrTooMany means that so many functions are paused already.
var ErrTooMany = errors.New("too many functions are paused")

// Pause says why a function is not called.
type Pause struct {
	Reason string    `json:"reason,omitempty"`
	Author string    `json:"author,omitempty"` // who says that they did it
	By     string    `json:"by,omitempty"`     // who was admitted
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"` // zero: until it is resumed
}

// isOver reports whether the time of a pause has passed.
func (p Pause) isOver(now time.Time) bool { return !p.Until.IsZero() && !now.Before(p.Until) }

// Lanes carry pauses out, by the name of a lane, in all queues. Both are idempotent.
type Lanes interface {
	Pause(name string)
	Resume(name string)
}

// Keeper knows the pauses. Make it with New.
type Keeper struct {
	notes store.Notes
	lanes Lanes
	log   *slog.Logger
	wake  chan struct{}

	act sync.Mutex // held while one pause is set or lifted, notes and lanes both

	mu  sync.Mutex
	all map[string]Pause
}

// New reads the pauses and lets the lanes know. It has to come before anything is
// called. A note that cannot be read is logged and skipped.
func New(notes store.Notes, lanes Lanes, log *slog.Logger) *Keeper {
	k := &Keeper{notes: notes, lanes: lanes, log: log, wake: make(chan struct{}, 1), all: map[string]Pause{}}
	for name, value := range notes.Notes(notePrefix) {
		lane := strings.TrimPrefix(name, notePrefix)
		var p Pause
		if err := json.Unmarshal(value, &p); err != nil {
			log.Warn("cannot read pause, function not paused", "function", lane, "error", err)
			continue
		}
		k.all[lane] = p
		if p.isOver(time.Now()) {
			continue // Run deletes the note
		}
		lanes.Pause(lane)
		log.Warn("paused", attrs(lane, p)...)
	}
	return k
}

// Run ends expired pauses, until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
		case <-timer.C:
		}
		timer.Stop()
		if next, ok := k.expire(ctx, time.Now()); ok {
			timer.Reset(min(max(time.Until(next), 0), longestSleep))
		}
	}
}

// Set pauses the lanes of a name, in place of an earlier pause, and returns when
// that is durable. ErrTooMany when there are too many. After another error it may
// be paused or not.
func (k *Keeper) Set(ctx context.Context, lane string, p Pause) error {
	k.act.Lock()
	defer k.act.Unlock()
	if held := k.held(); len(held) >= mostOfAll {
		if _, again := held[lane]; !again {
			return ErrTooMany
		}
	}
	value, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := k.notes.PutNote(ctx, store.Note{Name: notePrefix + lane, Value: value}); err != nil {
		return fmt.Errorf("pause %s: %w", lane, err)
	}
	k.put(lane, &p)
	k.lanes.Pause(lane)
	k.log.Warn("paused", attrs(lane, p)...)
	select {
	case k.wake <- struct{}{}:
	default:
	}
	return nil
}

// Lift ends a pause and returns when that is durable; there need not be one.
func (k *Keeper) Lift(ctx context.Context, lane, by string) error {
	k.act.Lock()
	defer k.act.Unlock()
	if _, ok := k.held()[lane]; !ok {
		return nil
	}
	if err := k.lift(ctx, lane); err != nil {
		return err
	}
	k.log.Warn("resumed", "function", lane, "by", by)
	return nil
}

func (k *Keeper) lift(ctx context.Context, lane string) error {
	if err := k.notes.PutNote(ctx, store.Note{Name: notePrefix + lane}); err != nil {
		return fmt.Errorf("resume %s: %w", lane, err)
	}
	k.put(lane, nil)
	k.lanes.Resume(lane)
	return nil
}

// expire ends expired pauses, and returns when the next expires.
func (k *Keeper) expire(ctx context.Context, now time.Time) (next time.Time, ok bool) {
	for lane, p := range k.held() {
		switch {
		case p.Until.IsZero():
		case !p.isOver(now):
			if !ok || p.Until.Before(next) {
				next, ok = p.Until, true
			}
		case k.expireOne(ctx, lane, now) != nil:
			next, ok = now.Add(longestSleep), true // the store has said what it is
		}
	}
	return next, ok
}

// expireOne ends a pause, unless another was set meanwhile. The lanes are
// resumed even if the note cannot be deleted now: it has expired.
func (k *Keeper) expireOne(ctx context.Context, lane string, now time.Time) error {
	k.act.Lock()
	defer k.act.Unlock()
	p, ok := k.held()[lane]
	if !ok || !p.isOver(now) {
		return nil
	}
	k.lanes.Resume(lane)
	if err := k.lift(ctx, lane); err != nil {
		return err
	}
	k.log.Warn("resumed, pause expired", attrs(lane, p)...)
	return nil
}

// Of returns the pause of a name, if it is paused.
func (k *Keeper) Of(lane string) (Pause, bool) {
	p, ok := k.All()[lane]
	return p, ok
}

// All returns all pauses by the name of their lanes.
func (k *Keeper) All() map[string]Pause {
	all, now := k.held(), time.Now()
	maps.DeleteFunc(all, func(_ string, p Pause) bool { return p.isOver(now) })
	return all
}

// held is a copy of the pauses whose notes are there, expired ones included.
func (k *Keeper) held() map[string]Pause {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.all)
}

func (k *Keeper) put(lane string, p *Pause) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p == nil {
		delete(k.all, lane)
		return
	}
	k.all[lane] = *p
}

func attrs(lane string, p Pause) []any {
	s := []any{"function", lane, "reason", p.Reason, "author", p.Author, "by", p.By, "since", p.Since.UTC()}
	if !p.Until.IsZero() {
		s = append(s, "until", p.Until.UTC())
	}
	return s
}
