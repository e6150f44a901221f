package embedded

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// withDeadlines makes a store of layout 2 in a file system: without the index of deadlines. It
// returns the pending invocations that have one.
func withDeadlines(t *testing.T, o Options, deadline time.Time) []invocation.ID {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	var aged []invocation.ID
	for n, inv := range []*invocation.Invocation{
		{Since: o.Now(), Terms: &invocation.Terms{Expires: deadline}},
		{Since: o.Now().Add(time.Hour), Terms: &invocation.Terms{Expires: deadline.Add(time.Second)}},
		{Since: o.Now()},
		{State: invocation.Dead, DiedAt: o.Now(), Terms: &invocation.Terms{Expires: deadline}},
	} {
		inv.ID, inv.CallID, inv.Lane, inv.Accepted = invocation.NewID(o.Now()), "c", invocation.Lane{Queue: "q", Name: "fn"}, o.Now()
		done := make(chan error, 1)
		s.Accept(store.Accept{Inv: inv, Raw: []byte("request")}, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if n < 2 {
			aged = append(aged, inv.ID)
		}
	}
	err = errors.Join(s.db.DeleteRange(deadlinePrefix, after(deadlinePrefix), pebble.Sync),
		s.db.Set(versionKey, binary.BigEndian.AppendUint32(nil, 2), pebble.Sync), s.Close())
	if err != nil {
		t.Fatal(err)
	}
	return aged
}

// TestAStoreOfLayout2GetsItsDeadlines opens a store that knows no index of deadlines.
func TestAStoreOfLayout2GetsItsDeadlines(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	o := Options{Dir: "data", Slots: 4, FS: vfs.NewMem(), Now: func() time.Time { return now }}
	want := withDeadlines(t, o, now.Add(time.Minute))
	checked := func() {
		t.Helper()
		if r, err := check(t.Context(), o, nil); err != nil || !r.OK() || r.Invocations != 4 {
			t.Errorf("check: got %+v, %v, want 4 sound invocations", r, err)
		}
	}
	checked()
	for range 2 {
		s, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.NextDeadline(); !got.Equal(now.Add(time.Minute)) {
			t.Errorf("next deadline: got %v, want %v", got, now.Add(time.Minute))
		}
		s.now = func() time.Time { return now.Add(time.Hour) }
		got, err := s.Overdue(t.Context(), store.Deadline{})
		if err != nil || len(got) != 2 || got[0].ID != want[0] || got[1].ID != want[1] {
			t.Errorf("overdue: got %v, %v, want %v", got, err, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		checked()
	}
}

func TestACheckFindsWrongDeadlines(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		change func(s *Store, id invocation.ID) error
		want   string
	}{
		{"one is missing", func(s *Store, id invocation.ID) error {
			return s.db.Delete(appendTimedKey(nil, deadlinePrefix, now.Add(time.Minute), id), pebble.Sync)
		}, `is missing in the index "a/" (deadlines)`},
		{"one is too many", func(s *Store, id invocation.ID) error {
			return s.db.Set(appendTimedKey(nil, deadlinePrefix, now.Add(time.Hour), id), nil, pebble.Sync)
		}, "deadlines: key"},
		{"one belongs to nothing", func(s *Store, _ invocation.ID) error {
			return s.db.Set(appendTimedKey(nil, deadlinePrefix, now, invocation.ID{1}), nil, pebble.Sync)
		}, "deadlines: key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := Options{Dir: "data", Slots: 4, FS: vfs.NewMem(), Now: func() time.Time { return now }}
			ids := withDeadlines(t, o, now.Add(time.Minute))
			s, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(tt.change(s, ids[0]), s.Close()); err != nil {
				t.Fatal(err)
			}
			r, err := check(t.Context(), o, nil)
			if err != nil || len(r.Findings) != 1 || !strings.Contains(r.Findings[0], tt.want) {
				t.Errorf("findings: got %q, %v, want one that says %q", r.Findings, err, tt.want)
			}
		})
	}
}
