package storetest

import (
	"errors"
	"strings"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/store"
)

// note writes a note that must be taken; no value deletes it.
func (w *world) note(name string, value ...byte) {
	w.Helper()
	if err := w.PutNote(w.Context(), store.Note{Name: name, Value: value}); err != nil {
		w.Fatalf("put note: %v", err)
	}
}

var notes = []test{
	{"notes are written, written over and deleted, and outlive a restart", func(w *world) {
		w.note("job/1", 1)
		w.note("job/2", 2)
		w.note("pause/fn", 3)
		w.note("job/1", 4, 4)
		w.note("job/2")
		w.note("job/3")
		check := func() {
			w.Helper()
			want := map[string][]byte{"job/1": {4, 4}, "pause/fn": {3}}
			if d := cmp.Diff(want, w.Notes("")); d != "" {
				w.Errorf("notes (-want +got):\n%s", d)
			}
			if d := cmp.Diff(map[string][]byte{"pause/fn": {3}}, w.Notes("pause/")); d != "" {
				w.Errorf("notes with a prefix (-want +got):\n%s", d)
			}
		}
		check()
		if w.durable {
			w.restart()
			check()
		}
	}},
	{"an empty note is a note", func(w *world) {
		if err := w.PutNote(w.Context(), store.Note{Name: "n", Value: []byte{}}); err != nil {
			w.Fatal(err)
		}
		if n := w.Notes(""); len(n) != 1 {
			w.Errorf("notes are %v", n)
		}
		if w.durable {
			w.restart()
			if n := w.Notes(""); len(n) != 1 {
				w.Errorf("notes are %v", n)
			}
		}
	}},
	{"what is given and what is returned are copies", func(w *world) {
		b := []byte("abc")
		w.note("n", b...)
		b[0] = 'x'
		w.Notes("")["n"][1] = 'x'
		if got := string(w.Notes("")["n"]); got != "abc" {
			w.Errorf("the note is %q", got)
		}
	}},
	{"a note that is too long, or has no proper name, is refused", func(w *world) {
		for _, n := range []store.Note{
			{Name: "", Value: []byte{1}}, {Name: strings.Repeat("n", 257), Value: []byte{1}}, {Name: "n", Value: make([]byte, store.MaxNote+1)},
		} {
			if err := w.PutNote(w.Context(), n); !errors.Is(err, store.ErrNote) {
				w.Errorf("a name of %d and %d bytes: %v, want ErrNote", len(n.Name), len(n.Value), err)
			}
		}
		w.note(strings.Repeat("n", 256), make([]byte, store.MaxNote)...)
	}},
}
