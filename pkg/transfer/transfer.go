// Package transfer copies all that a store keeps to another store, of the same engine or of another.
//
//	source --> pages of items --> target      each page in one batch with the place of the next one
//	source --> counts, digests <-- target     compared when all is copied
//
// A copy that was ended at any point continues from there. While it has not ended no worker uses the
// target, and once it has none uses the source, unless Options.KeepSource says so.
//
// The package knows no engine: opening the stores, and keeping workers away from them, is its
// caller's.
package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"queue-worker/pkg/store"
)

// Store is a store that is copied, or copied to.
type Store interface {
	store.Portable
	store.Notes
}

// Options say how to copy.
type Options struct {
	// KeepSource leaves the source usable by a worker, which then would call again what a worker on
	// the target calls.
	KeepSource bool
	// Progress gets how many items were read of a step; may be nil.
	Progress func(step string, items int64)
}

// Errors of a copy.
var (
	// ErrTarget: the target has something, and it is not a part of this copy.
	ErrTarget = errors.New("the target is not empty")
	// ErrDiffers: the target has not what the source has.
	ErrDiffers = errors.New("source and target differ")
)

// Copy copies source to target, or continues a copy, and compares them. The report is complete when
// the error is nil or ErrDiffers.
func Copy(ctx context.Context, source, target Store, o Options) (Report, error) {
	if o.Progress == nil {
		o.Progress = func(string, int64) {}
	}
	c := copier{source: source, target: target, o: o}
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	if err := c.copyAll(ctx); err != nil {
		return nil, err
	}
	return c.compare(ctx)
}

type copier struct {
	source, target Store
	o              Options
	state          store.CopyState // as the target has it
	read           int64
}

// begin finds out where the copy continues. An empty target becomes that of this copy.
func (c *copier) begin(ctx context.Context) error {
	secret, _, err := c.source.Items(ctx, store.ItemSecret, nil)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	from, err := store.Identity(ctx, c.source)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	value, begun := c.target.Notes(store.CopyNotes)[store.CopyProgress]
	if begun {
		if err := json.Unmarshal(value, &c.state); err != nil || c.state.From != from {
			return fmt.Errorf("%w: it has the copy of another store", ErrTarget)
		}
		return nil
	}
	if err := c.needEmpty(ctx); err != nil {
		return err
	}
	c.state = store.CopyState{From: from, Kind: store.ItemSecret + 1}
	return c.put(ctx, secret)
}

// needEmpty refuses a target that has anything.
func (c *copier) needEmpty(ctx context.Context) error {
	for kind := store.ItemSecret + 1; kind < store.ItemKinds; kind++ {
		page, _, err := c.target.Items(ctx, kind, nil)
		switch {
		case err != nil:
			return fmt.Errorf("target: %w", err)
		case len(page) > 0:
			return fmt.Errorf("%w: it has %s", ErrTarget, kindNames[kind])
		}
	}
	return nil
}

// put writes items together with the state of the copy.
func (c *copier) put(ctx context.Context, items []store.Item) error {
	if err := c.target.PutItems(ctx, items, store.Note{Name: store.CopyProgress, Value: c.state.Encode()}); err != nil {
		return fmt.Errorf("target: %w", err)
	}
	return nil
}

// copyAll copies the pages that are missing.
func (c *copier) copyAll(ctx context.Context) error {
	for c.state.Kind < store.ItemKinds {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		page, next, err := c.source.Items(ctx, c.state.Kind, c.state.Cursor)
		if err != nil {
			return fmt.Errorf("source: %w", err)
		}
		c.read += int64(len(page))
		c.o.Progress("copying "+kindNames[c.state.Kind], c.read)
		if c.state.Cursor = next; next == nil {
			c.state.Kind++
		}
		if err := c.put(ctx, copied(page)); err != nil {
			return err
		}
	}
	return nil
}

// copied are the items of a page without the marks of copies.
func copied(page []store.Item) []store.Item {
	kept := page[:0]
	for _, it := range page {
		if it.Kind != store.ItemNote || !strings.HasPrefix(string(it.Key), store.CopyNotes) {
			kept = append(kept, it)
		}
	}
	return kept
}

// compare counts and digests both stores, and ends the copy when they are equal.
func (c *copier) compare(ctx context.Context) (Report, error) {
	source, err := c.sum(ctx, c.source, "comparing the source")
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	target, err := c.sum(ctx, c.target, "comparing the target")
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	r := report(source, target)
	if !r.Equal() {
		return r, ErrDiffers
	}
	if c.state.Done {
		return r, nil
	}
	// order matters: there is no instant at which workers can use both.
	if !c.o.KeepSource {
		if err := c.source.PutNote(ctx, store.Note{Name: store.CopyMoved, Value: []byte(c.state.From)}); err != nil {
			return r, fmt.Errorf("source: %w", err)
		}
	}
	c.state.Done = true
	return r, c.put(ctx, nil)
}
