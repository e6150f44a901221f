package embedded

import (
	"errors"
	"strconv"
	"testing"

	"queue-worker/pkg/store"
)

func TestNotesAreBoundedInNumberAndInBytes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		n, size int
	}{
		{"by number", store.MaxNotes, 0}, {"by bytes", store.MaxNoteBytes / store.MaxNote, store.MaxNote},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			put := func(name string, value []byte) error {
				return s.PutNote(t.Context(), store.Note{Name: name, Value: value})
			}
			for n := range tt.n {
				if err := put(strconv.Itoa(n), make([]byte, tt.size)); err != nil {
					t.Fatalf("number %d: %v, want no error", n, err)
				}
			}
			if err := put("more", []byte{1}); !errors.Is(err, store.ErrNote) {
				t.Errorf("one more gives %v, want ErrNote", err)
			}
			if err := put("1", make([]byte, tt.size)); err != nil {
				t.Errorf("writing over one: %v, want no error", err)
			}
			if err := errors.Join(put("1", nil), put("more", []byte{1})); err != nil {
				t.Errorf("after one was deleted: %v, want no error", err)
			}
			if err := put("still more", make([]byte, max(tt.size, 1))); !errors.Is(err, store.ErrNote) {
				t.Errorf("one more again gives %v, want ErrNote", err)
			}
			if n := len(s.Notes("")); n != tt.n {
				t.Errorf("%d notes are kept, want %v", n, tt.n)
			}
		})
	}
}
