package embedded

import (
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// TestWhatABatchChangesDuringAReadingIsNotTrusted: a reading may see the state before a batch
// that was staged before it ended, whenever that is applied.
func TestWhatABatchChangesDuringAReadingIsNotTrusted(t *testing.T) {
	t.Parallel()
	id, other := invocation.ID{1}, invocation.ID{2}
	begin := func(h *handover) {
		if _, ok := h.beginReading(invocation.ID{}, true); !ok {
			t.Error("no reading begins, want ok")
		}
	}
	stage := func(h *handover) { h.act(id) }
	settle := func(h *handover) { h.forget(id) }
	apply := func(h *handover) { h.committed(nil, time.Time{}) }
	load := func(h *handover) { h.load(id) }
	for name, steps := range map[string][]func(*handover){
		"staged before it":             {stage, begin},
		"staged before, applied in it": {stage, begin, apply},
		"staged in it":                 {begin, stage},
		"staged and applied in it":     {begin, stage, apply},
		"settled in it":                {begin, settle, apply},
		"loaded in it":                 {begin, load},
		"loaded and settled in it":     {begin, load, settle, apply},
	} {
		h := newHandover(1)
		for _, step := range steps {
			step(h)
		}
		h.endReading([]found{{id, []byte("old")}, {other, []byte("good")}}, 2)
		if _, record := h.load(id); record != nil {
			t.Errorf("%s: it is trusted: got record %v, want nil", name, record)
		}
		if _, record := h.load(other); record == nil {
			t.Errorf("%s: another is not kept: got record %v, want set", name, record)
		}
	}
}

// TestWhatIsReadAheadIsBounded: however large the records are and however many were read and
// are not loaded.
func TestWhatIsReadAheadIsBounded(t *testing.T) {
	t.Parallel()
	h := newHandover(1)
	for i := range 3 * aheadBytes / aheadOverhead {
		id := invocation.NewID(time.Time{})
		h.endReading([]found{{id, make([]byte, i%8192)}}, 1)
		if i%3 == 0 {
			h.load(id)
		}
	}
	sum := 0
	for _, record := range h.ahead.records {
		sum += len(record) + aheadOverhead
	}
	switch {
	case sum != h.ahead.bytes:
		t.Errorf("%d bytes of %d records, counted %d, %d in order, want sum %v", sum, len(h.ahead.records), h.ahead.bytes, len(h.ahead.order), h.ahead.bytes)
	case sum > aheadBytes:
		t.Errorf("%d bytes of %d records, counted %d, %d in order, want sum at most %v", sum, len(h.ahead.records), h.ahead.bytes, len(h.ahead.order), aheadBytes)
	case sum < aheadBytes/2:
		t.Errorf("%d bytes of %d records, counted %d, %d in order, want sum at least %v", sum, len(h.ahead.records), h.ahead.bytes, len(h.ahead.order), aheadBytes/2)
	case len(h.ahead.order) > aheadBytes/aheadOverhead:
		t.Errorf("%d bytes of %d records, counted %d, %d in order, want at most %d order", sum, len(h.ahead.records), h.ahead.bytes, len(h.ahead.order), aheadBytes/aheadOverhead)
	}
}

// TestABacklogIsReadAhead: nearly all loads come from memory.
func TestABacklogIsReadAhead(t *testing.T) {
	t.Parallel()
	p := playerOn(t, vfs.NewMem())
	p.handover.room = 0
	var all []*invocation.Invocation
	for range 600 {
		inv, err := p.do(200, nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, inv)
	}
	looked := 0
	for _, inv := range all {
		if _, ok := p.handover.ahead.records[inv.ID]; !ok {
			looked++
		}
		if err := p.call(t.Context(), inv.ID, invocation.OutcomeDone); err != nil {
			t.Fatal(err)
		}
	}
	if looked > 20 {
		t.Errorf("%d look-ups for %d loads, want at most 20", looked, len(all))
	}
	if err := errors.Join(p.Health(), p.Close()); err != nil {
		t.Error(err)
	}
}

// TestReadingsOfNoUseAreRare: where what is read ahead is not loaded, few look-ups read ahead,
// until it is loaded again.
func TestReadingsOfNoUseAreRare(t *testing.T) {
	t.Parallel()
	h := newHandover(1)
	readings := func(n int, useful bool) (begun int) {
		for range n {
			id := invocation.NewID(time.Time{})
			if _, ok := h.beginReading(id, true); ok {
				begun++
				h.endReading([]found{{id, nil}}, 1)
			}
			if useful {
				h.load(id)
			}
		}
		return begun
	}
	if got := readings(1000, false); got > 30 {
		t.Errorf("%d readings of no use, want at most 30", got)
	}
	readings(2*(longestAheadRest+1), true)
	if got := readings(100, true); got != 100 {
		t.Errorf("%d of 100 readings that are of use, want 100", got)
	}
}

// TestARecordThatWasReadAheadMustStandWhereItIsExpected: where it does not stand as the caller
// expects, the engine has the last word.
func TestARecordThatWasReadAheadMustStandWhereItIsExpected(t *testing.T) {
	t.Parallel()
	p := playerOn(t, vfs.NewMem())
	p.handover.room = 0
	inv, err := p.do(200, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := store.Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}
	old := *inv
	old.Since = old.Since.Add(-time.Second)
	for name, record := range map[string][]byte{"elsewhere": record.EncodeInline(&old, []byte("old")), "damaged": {record.InlineForm, 0xff}} {
		p.handover.endReading([]found{{inv.ID, record}}, 1)
		l, err := p.LoadReady(t.Context(), at)
		if err != nil || !sameStamp(l.Inv.Since, inv.Since) || len(l.Raw) != 200 {
			t.Errorf("%s: loaded %+v, %v", name, l.Inv, err)
		}
		p.handover.forget(inv.ID)
		p.handover.committed(nil, time.Time{})
	}
	if err := errors.Join(p.Health(), p.Close()); err != nil {
		t.Error(err)
	}
}
