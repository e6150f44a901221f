package pause

// Pauses by the clock of a bubble; what keeps them in the e2e tests is the real store.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/store"
)

// notes keep notes in a map, since the real store does not fit into a bubble.
type notes struct {
	mu   sync.Mutex
	all  map[string][]byte
	fail error
}

func (n *notes) PutNote(_ context.Context, note store.Note) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail != nil {
		return n.fail
	}
	if note.Value == nil {
		delete(n.all, note.Name)
		return nil
	}
	n.all[note.Name] = note.Value
	return nil
}

func (n *notes) Notes(prefix string) map[string][]byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := maps.Clone(n.all)
	maps.DeleteFunc(m, func(name string, _ []byte) bool { return !strings.HasPrefix(name, prefix) })
	return m
}

func (n *notes) failing(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fail = err
}

// lanes record their calls.
type lanes struct {
	mu     sync.Mutex
	paused map[string]bool
}

func (l *lanes) Pause(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused[name] = true
}

func (l *lanes) Resume(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.paused, name)
}

func (l *lanes) has(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.paused[name]
}

// world is a keeper and what surrounds it.
type world struct {
	*Keeper
	notes *notes
	lanes *lanes
	logs  *bytes.Buffer // read it only while nothing runs
}

func newWorld() *world { return (&world{notes: &notes{all: map[string][]byte{}}}).restarted() }

// restarted is the same with the notes alone left over.
func (w *world) restarted() *world {
	n := &world{notes: w.notes, lanes: &lanes{paused: map[string]bool{}}, logs: &bytes.Buffer{}}
	n.Keeper = New(n.notes, n.lanes, slog.New(slog.NewTextHandler(n.logs, nil)))
	return n
}

// running lets the keeper run until the end of the test.
func (w *world) running(t *testing.T) *world {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
	return w
}

func TestAPauseEndsByItselfAndTheLogSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld().running(t)
		start := time.Now()
		for i, after := range []time.Duration{time.Hour, 90 * time.Minute, 0} {
			p := Pause{Reason: "rollout", Author: "ann", By: "admin", Since: start}
			if after > 0 {
				p.Until = start.Add(after)
			}
			if err := w.Set(t.Context(), fmt.Sprint("fn", i), p); err != nil {
				t.Fatal(err)
			}
		}
		for _, tt := range []struct {
			after              time.Duration
			first, second, all int
		}{{time.Hour - 1, 1, 1, 3}, {time.Hour, 0, 1, 2}, {90*time.Minute - 1, 0, 1, 2}, {90 * time.Minute, 0, 0, 1}, {1000 * time.Hour, 0, 0, 1}} {
			time.Sleep(time.Until(start.Add(tt.after)))
			synctest.Wait()
			if w.lanes.has("fn0") != (tt.first > 0) || w.lanes.has("fn1") != (tt.second > 0) || !w.lanes.has("fn2") ||
				len(w.All()) != tt.all || len(w.notes.Notes(notePrefix)) != tt.all {
				t.Errorf("after %s the lanes have %v, there are %v", tt.after, w.lanes.paused, w.All())
			}
		}
		for _, want := range []string{"msg=paused function=fn0 reason=rollout author=ann by=admin", `msg="resumed, pause expired" function=fn0 reason=rollout author=ann`} {
			if !strings.Contains(w.logs.String(), want) {
				t.Errorf("%q is not in the log, want %q in it\n%s", want, want, w.logs)
			}
		}
	})
}

func TestPausingTwiceReplacesAlsoWhatWouldEndSooner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld().running(t)
		for _, p := range []Pause{{Reason: "first", Until: time.Now().Add(time.Minute)}, {Reason: "second", Until: time.Now().Add(time.Hour)}} {
			if err := w.Set(t.Context(), "fn", p); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		switch p, ok := w.Of("fn"); {
		case !ok:
			t.Errorf("it is %+v, %v: ok = false, want true", p, ok)
		case p.Reason != "second":
			t.Errorf("it is %+v, %v, want Reason \"second\"", p, ok)
		case !w.lanes.has("fn"):
			t.Errorf("it is %+v, %v: w.lanes.has(\"fn\") = false, want true", p, ok)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		switch _, ok := w.Of("fn"); {
		case ok:
			t.Error("paused after its end: got true, want false")
		case w.lanes.has("fn"):
			t.Error("it does not end: w.lanes.has(\"fn\") = true, want false")
		}
	})
}

func TestAPauseOutlivesTheProcessAndOneThatIsOverDoesNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		soon, late := Pause{Reason: "soon", Since: time.Now(), Until: time.Now().Add(time.Minute)}, Pause{Reason: "late", Since: time.Now()}
		for lane, p := range map[string]Pause{"soon": soon, "late": late} {
			if err := w.Set(t.Context(), lane, p); err != nil {
				t.Fatal(err)
			}
		}
		w.notes.all[notePrefix+"broken"] = []byte("{")
		again := w.restarted()
		switch p, ok := again.Of("late"); {
		case !ok:
			t.Errorf("after a restart there are %v: ok = false, want true", again.All())
		case !p.Since.Equal(late.Since):
			t.Errorf("after a restart there are %v: p.Since = %v, want %v", again.All(), p.Since, late.Since)
		case p.Reason != "late":
			t.Errorf("after a restart there are %v: p.Reason = %q, want \"late\"", again.All(), p.Reason)
		case !again.lanes.has("late"):
			t.Errorf("after a restart there are %v: again.lanes.has(\"late\") = false, want true", again.All())
		case !again.lanes.has("soon"):
			t.Errorf("after a restart there are %v: again.lanes.has(\"soon\") = false, want true", again.All())
		}
		switch {
		case !strings.Contains(again.logs.String(), "cannot read pause"):
			t.Errorf("of the broken one the log says, want \"cannot read pause\" in it\n%s", again.logs)
		case again.lanes.has("broken"):
			t.Errorf("of the broken one the log says: again.lanes.has(\"broken\") = true, want false\n%s", again.logs)
		}
		time.Sleep(time.Minute)
		last := w.restarted()
		switch {
		case last.lanes.has("soon"):
			t.Errorf("after its time it is paused again: %v: last.lanes.has(\"soon\") = true, want false", last.lanes.paused)
		case !last.lanes.has("late"):
			t.Errorf("after its time it is paused again: %v: last.lanes.has(\"late\") = false, want true", last.lanes.paused)
		}
		last.running(t)
		switch _, ok := last.notes.all[notePrefix+"soon"]; {
		case ok:
			t.Errorf("pauses that have ended: got %v, want none", last.All())
		case len(last.All()) != 1:
			t.Errorf("what has ended is kept: %v, want len 1", last.All())
		}
	})
}

func TestLiftingEndsAPauseAndNeedsNone(t *testing.T) {
	t.Parallel()
	w := newWorld()
	switch err := w.Lift(t.Context(), "fn", "admin"); {
	case err != nil:
		t.Errorf("without a pause: %v, want nil", err)
	case w.logs.Len() > 0:
		t.Errorf("without a pause: %v, %s: w.logs.Len() = %d, want 0", err, w.logs, w.logs.Len())
	}
	if err := w.Set(t.Context(), "fn", Pause{}); err != nil {
		t.Fatal(err)
	}
	switch err := w.Lift(t.Context(), "fn", "admin"); {
	case err != nil:
		t.Errorf("after it: %v, want nil", err)
	case w.lanes.has("fn"):
		t.Errorf("after it: %v, %v: w.lanes.has(\"fn\") = true, want false", err, w.All())
	case len(w.notes.all) != 0:
		t.Errorf("after it: %v, %v: len(w.notes.all) = %d, want 0", err, w.All(), len(w.notes.all))
	case len(w.All()) != 0:
		t.Errorf("after it: %v, %v, want len 0", err, w.All())
	}
	if !strings.Contains(w.logs.String(), "msg=resumed function=fn by=admin") {
		t.Errorf("the log is, want \"msg=resumed function=fn by=admin\" in it\n%s", w.logs)
	}
}

func TestWhatCannotBeWrittenChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	full := errors.New("disk full")
	w.notes.failing(full)
	switch err := w.Set(t.Context(), "fn", Pause{}); {
	case !errors.Is(err, full):
		t.Errorf("a pause that is not written: %v, want %v", err, full)
	case w.lanes.has("fn"):
		t.Errorf("a pause that is not written: %v, %v: w.lanes.has(\"fn\") = true, want false", err, w.All())
	case len(w.All()) != 0:
		t.Errorf("a pause that is not written: %v, %v, want len 0", err, w.All())
	}
	w.notes.failing(nil)
	if err := w.Set(t.Context(), "fn", Pause{}); err != nil {
		t.Fatal(err)
	}
	w.notes.failing(full)
	switch err := w.Lift(t.Context(), "fn", ""); {
	case !errors.Is(err, full):
		t.Errorf("an end that is not written: %v, want %v", err, full)
	case !w.lanes.has("fn"):
		t.Errorf("an end that is not written: %v, %v: w.lanes.has(\"fn\") = false, want true", err, w.All())
	case len(w.All()) != 1:
		t.Errorf("an end that is not written: %v, %v, want len 1", err, w.All())
	}
}

func TestAnExpiredPauseEndsEvenIfItsNoteCannotBeDeletedYet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld().running(t)
		if err := w.Set(t.Context(), "fn", Pause{Until: time.Now().Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		w.notes.failing(errors.New("disk full"))
		time.Sleep(time.Minute)
		synctest.Wait()
		switch _, ok := w.Of("fn"); {
		case ok:
			t.Error("still paused: got true, want false")
		case w.lanes.has("fn"):
			t.Error("it is still paused: w.lanes.has(\"fn\") = true, want false")
		}
		w.notes.failing(nil)
		time.Sleep(longestSleep)
		synctest.Wait()
		switch {
		case len(w.notes.Notes(notePrefix)) != 0:
			t.Errorf("the note stays: %v, want 0", w.held())
		case len(w.held()) != 0:
			t.Errorf("the note stays: %v, want 0 held", w.held())
		}
	})
}

func TestThereIsABoundOnPausesAndPausingAgainIsWithinIt(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for i := range mostOfAll {
		if err := w.Set(t.Context(), fmt.Sprint("fn", i), Pause{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Set(t.Context(), "one more", Pause{}); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more gets %v, want %v", err, ErrTooMany)
	}
	if err := w.Set(t.Context(), "fn0", Pause{Reason: "again"}); err != nil {
		t.Errorf("one again gets %v, want nil", err)
	}
}
