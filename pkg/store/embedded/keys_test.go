package embedded

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// TestNoKeyIsSetTwice holds the rule under which keys may be deleted singly:
// Pebble says when a compaction meets one that was set twice. Due times, places
// and deaths come again here, in the same instant and with the clock set back.
func TestNoKeyIsSetTwice(t *testing.T) {
	t.Parallel()
	p := playerOn(t, vfs.NewMem())
	begin := p.time()
	again := func(i *invocation.Invocation) { i.Retries++ } // at the very place where it stands
	bury := func(i *invocation.Invocation) { i.DiedAt = begin }
	for round := range 30 {
		inv, err := p.do(100, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			due := inv.Since.Add(time.Minute)
			p.set(inv.Since)
			if err := errors.Join(
				p.settle(inv, invocation.OutcomeRetry, again, false),
				p.settle(inv, invocation.OutcomeRetry, func(i *invocation.Invocation) { i.Since = due }, false),
			); err != nil {
				t.Fatal(err)
			}
			p.set(due)
			if _, err := p.MoveDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := p.settle(inv, invocation.OutcomeDead, bury, false); err != nil {
				t.Fatal(err)
			}
			p.set(begin)
			if err := p.Replay(t.Context(), inv.ID); err != nil {
				t.Fatal(err)
			}
			inv, err = p.Get(t.Context(), inv.ID)
			if err != nil {
				t.Fatal(err)
			}
			if round%4 == 0 {
				err = p.db.Flush()
			}
			if round%7 == 0 {
				err = errors.Join(err, p.db.Compact(t.Context(), []byte("a"), []byte("z"), false))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(p.settle(inv, invocation.OutcomeDone, nil, false), p.keeps(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(p.db.Flush(), p.db.Compact(t.Context(), []byte("a"), []byte("z"), false), p.Health(), p.Close()); err != nil {
		t.Error(err)
	}
}

// TestAKeyThatIsSetTwiceIsNoticed is a test of the test above.
func TestAKeyThatIsSetTwiceIsNoticed(t *testing.T) {
	t.Parallel()
	p := playerOn(t, vfs.NewMem())
	key := []byte("b/twice")
	for range 2 {
		put(t, p.Store, key, nil)
	}
	if err := errors.Join(
		p.db.SingleDelete(key, pebble.Sync), p.db.Flush(), p.db.Compact(t.Context(), []byte("a"), []byte("z"), false),
	); err != nil {
		t.Fatal(err)
	}
	switch err := p.Health(); {
	case err == nil:
		t.Errorf("health is %v, want an error", err)
	case !strings.Contains(err.Error(), "was set twice"):
		t.Errorf(`health is %v, want "was set twice" in Error`, err)
	}
	_ = p.Close()
}

// TestOldDedupRecordsAreDropped bounds what they take.
func TestOldDedupRecordsAreDropped(t *testing.T) {
	t.Parallel()
	p := playerOn(t, vfs.NewMem())
	defer func() { _ = p.Close() }()
	const each = 10
	for range 6 {
		for range each {
			if _, err := p.do(10, nil); err != nil {
				t.Fatal(err)
			}
		}
		p.pass(seenGeneration)
	}
	marks := 0
	if err := errors.Join(
		p.each(seenPrefix, after(seenPrefix), func(_, _ []byte) (bool, error) { marks++; return true, nil }),
		p.each(runPrefix, after(runPrefix), func(key, value []byte) (bool, error) {
			return true, eachOfRun(key, value, func(position) bool { marks++; return true })
		}),
	); err != nil {
		t.Fatal(err)
	}
	if marks != 2*each {
		t.Errorf("%d marks are kept, want those of two generations, %d", marks, 2*each)
	}
}

func TestKeysAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 1_772_000_000_123_456_789)
	for _, lane := range []invocation.Lane{{Queue: "q", Name: "fn"}, {Queue: "", Name: ""}, {Queue: "a.b", Name: "url:[::1]:80"}} {
		want := store.Ready{Lane: lane, Since: now, ID: invocation.NewID(now)}
		got, err := parseReady(appendReadyKey(nil, want))
		if err != nil || got != want {
			t.Errorf("read %+v, %v; want %+v", got, err, want)
		}
	}
	for _, key := range []string{"", "r/", "r/q", "r/q\x00fn", "r/q\x00fn\x00short", "r/noseparatorabcdefghijklmnopqrstuvwxyz"} {
		if e, err := parseEntry(inReady, []byte(key), []byte{1}); err == nil {
			t.Errorf("%q is read as %+v: got %v, want an error", key, e, err)
		}
	}
	switch got := after([]byte{1, 0xff, 0xff}); {
	case len(got) != 1:
		t.Errorf("after is %x, want 1", got)
	case got[0] != 2:
		t.Errorf("after is %x, want got[0] 2", got)
	}
	if got := after([]byte{0xff}); got != nil {
		t.Errorf("after the last is %x, want nil", got)
	}
}
