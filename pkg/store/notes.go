// File notes.go has notes: small durable texts, such as the progress of a job.

package store

import (
	"errors"
	"fmt"
)

// Bounds of notes.
const (
	MaxNote      = 64 << 10 // bytes of one
	MaxNoteName  = 256
	MaxNotes     = 10_000
	MaxNoteBytes = 64 << 20 // of all, since they are in memory
)

// ErrNote is returned for a note that is too long, or one too many.
var ErrNote = errors.New("note refused")

// Note is a small text with a name, such as "job/<id>". Without a Value (nil)
// there is no such note.
type Note struct {
	Name  string
	Value []byte
}

// Check reports whether a note is within the bounds.
func (n *Note) Check() error {
	switch {
	case n.Name == "" || len(n.Name) > MaxNoteName:
		return fmt.Errorf("%w: its name has %d bytes, expected 1 to %d", ErrNote, len(n.Name), MaxNoteName)
	case len(n.Value) > MaxNote:
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrNote, len(n.Value), MaxNote)
	}
	return nil
}
