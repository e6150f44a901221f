package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// call settles a ready invocation as the worker does. With Later it is ready again at once.
func (s *Store) call(ctx context.Context, id invocation.ID, v invocation.Outcome) error {
	inv, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	at := store.Ready{Lane: inv.Lane, Since: inv.Since, ID: id}
	r, err := s.LoadReady(ctx, at)
	if err != nil {
		return err
	}
	if v == invocation.OutcomeRetry {
		r.Inv.Since = r.Inv.Since.Add(-1)
		r.Inv.Retries++
	}
	r.Inv.DiedAt = inv.Since
	return s.Settle(ctx, store.Settlement{At: at, Outcome: v, Inv: r.Inv})
}

// TestNothingIsLeftOfAFinishedInvocation takes invocations all ways to their end, with
// requests in the record, beside it, and on the edge.
func TestNothingIsLeftOfAFinishedInvocation(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ways := map[string]func(p *player, inv *invocation.Invocation) error{
		"done": func(p *player, inv *invocation.Invocation) error {
			return p.settle(inv, invocation.OutcomeDone, nil, true)
		},
		"loaded": func(p *player, inv *invocation.Invocation) error { return p.call(ctx, inv.ID, invocation.OutcomeDone) },
		"dropped": func(p *player, inv *invocation.Invocation) error {
			return p.call(ctx, inv.ID, invocation.OutcomeDropped)
		},
		"cancelled": func(p *player, inv *invocation.Invocation) error { return errOf(p.Cancel(ctx, inv.ID)) },
		"lettered": func(p *player, inv *invocation.Invocation) error {
			return errors.Join(p.call(ctx, inv.ID, invocation.OutcomeDead), p.Drop(ctx, inv.ID))
		},
		"expired": func(p *player, inv *invocation.Invocation) error {
			return errors.Join(p.call(ctx, inv.ID, invocation.OutcomeDead), errOf(p.Expire(ctx, store.Bounds{MaxAge: 1})))
		},
		"retried": func(p *player, inv *invocation.Invocation) error {
			return errors.Join(p.call(ctx, inv.ID, invocation.OutcomeRetry), p.call(ctx, inv.ID, invocation.OutcomeRetry), p.call(ctx, inv.ID, invocation.OutcomeDone))
		},
		"crashed": func(p *player, inv *invocation.Invocation) error {
			return errors.Join(p.countCrashes([]invocation.ID{inv.ID}), p.call(ctx, inv.ID, invocation.OutcomeDone))
		},
		"replayed": func(p *player, inv *invocation.Invocation) error {
			return errors.Join(p.call(ctx, inv.ID, invocation.OutcomeDead), p.Replay(ctx, inv.ID), p.call(ctx, inv.ID, invocation.OutcomeDone))
		},
		"as accepted": func(p *player, inv *invocation.Invocation) error {
			old := *inv
			err := p.settle(inv, invocation.OutcomeRetry, func(i *invocation.Invocation) { i.Since = i.Since.Add(-1) }, false)
			old.Since = inv.Since
			return errors.Join(err, p.settle(&old, invocation.OutcomeDone, nil, false))
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := playerOn(t, vfs.NewMem())
			for _, size := range []int{0, 200, inlineBytes, inlineBytes + 1} {
				inv, err := p.do(size, nil)
				if err != nil {
					t.Fatal(err)
				}
				p.pass(time.Second)
				if err := way(p, inv); err != nil {
					t.Fatalf("%d bytes: %v, want no error", size, err)
				}
				for _, key := range [][]byte{appendRecordKey(nil, inv.ID), appendBytesKey(nil, inv.ID), appendCallKey(nil, inv.CallID, inv.ID)} {
					switch ok, err := p.has(key); {
					case ok:
						t.Errorf("%d bytes: key %q is left: %v, want it gone", size, key, err)
					case err != nil:
						t.Errorf("%d bytes: key %q is left: %v, want no error", size, key, err)
					}
				}
			}
			if err := errors.Join(p.db.Flush(), p.db.Compact(ctx, []byte("a"), []byte("z"), false), p.Health(), p.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

func errOf[T any](_ T, err error) error { return err }

// TestARetryMovesARequestOnce: the first retry gives a small request a key of its own, and no
// retry after it writes the request again.
func TestARetryMovesARequestOnce(t *testing.T) {
	t.Parallel()
	p := playerOn(t, vfs.NewMem())
	inv, err := p.do(200, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, raw, err := p.Load(t.Context(), inv.ID)
	if err != nil {
		t.Fatal(err)
	}
	own := appendBytesKey(nil, inv.ID)
	switch ok, err := p.has(own); {
	case ok:
		t.Fatalf("a small request has a key of its own: got %v, %v, want false", ok, err)
	case err != nil:
		t.Fatalf("a small request has a key of its own: %v, %v, want no error", ok, err)
	}
	if err := p.call(t.Context(), inv.ID, invocation.OutcomeRetry); err != nil {
		t.Fatal(err)
	}
	moved := func(want []byte) error {
		_, got, err := p.Load(t.Context(), inv.ID)
		if err == nil && !bytes.Equal(got, want) {
			err = fmt.Errorf("the request is %.20q, want %.20q", got, want)
		}
		return err
	}
	if err := errors.Join(moved(raw), p.look(own, func([]byte) error { return nil })); err != nil {
		t.Fatal(err)
	}
	put(t, p.Store, own, []byte("stays"))
	if err := errors.Join(p.call(t.Context(), inv.ID, invocation.OutcomeRetry), p.call(t.Context(), inv.ID, invocation.OutcomeRetry), moved([]byte("stays")), p.Close()); err != nil {
		t.Error(err)
	}
}

// TestARecordWithADamagedRequestIsNotRewritten: the request in it would be lost.
func TestARecordWithADamagedRequestIsNotRewritten(t *testing.T) {
	t.Parallel()
	p := playerOn(t, vfs.NewMem())
	inv, err := p.do(200, nil)
	if err != nil {
		t.Fatal(err)
	}
	damaged := []byte{record.InlineForm, 0xff}
	put(t, p.Store, appendRecordKey(nil, inv.ID), damaged)
	if err := p.settle(inv, invocation.OutcomeRetry, nil, false); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("settle gives %v, want an error", err)
	}
	if err := p.look(appendRecordKey(nil, inv.ID), func(v []byte) error {
		if !bytes.Equal(v, damaged) {
			return fmt.Errorf("it is %q", v)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if p.Stats().Ready != 1 {
		t.Error("it is no longer ready, want ready 1")
	}
	_ = p.Close()
}

func TestASmallInvocationTakesFewKeys(t *testing.T) {
	t.Parallel()
	load := footprint{"256 bytes", 64, 256}
	if got, most := load.keys(t), 6+2.0/float64(load.batch); got > most {
		t.Errorf("%.2f keys for an invocation in batches of %d, want at most %.2f", got, load.batch, most)
	}
}

// FuzzRecord reads noise as the value of a record's key.
func FuzzRecord(f *testing.F) {
	now := time.Unix(0, 1_772_000_000_123_456_789)
	inv := &invocation.Invocation{ID: invocation.NewID(now), CallID: "c", Lane: invocation.Lane{Queue: "q", Name: "fn"}, Accepted: now, Since: now}
	f.Add(record.Encode(inv))
	f.Add(record.EncodeInline(inv, []byte("raw")))
	f.Add([]byte{record.InlineForm, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, v []byte) {
		head, raw, err := record.Split(v)
		if err == nil && (len(head)+len(raw) > len(v) || (raw != nil) != (len(v) > 0 && v[0] == record.InlineForm)) {
			t.Fatalf("split into %d and %d bytes of %d", len(head), len(raw), len(v))
		}
		if inv, got, err := record.DecodeInline(invocation.ID{1}, v); err == nil && (inv == nil || !bytes.Equal(got, raw)) {
			t.Fatalf("read %v and %q, want %q", inv, got, raw)
		}
	})
}
