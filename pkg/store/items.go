// File items.go has what a store is made of, in a form that all engines share, and the marks of a
// copy.

package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// ItemKind is a kind of what a store keeps.
type ItemKind uint8

// The kinds, in the order in which they are copied. Of what an item has, pkg/store/record has the
// encoding.
const (
	ItemSecret ItemKind = iota // of the fingerprints of idempotency keys; a store has one
	ItemNote
	ItemTally
	ItemSource // dedup record of a message
	ItemInvocation
	ItemKey // idempotency key
	ItemResult
	ItemEnd
	ItemKinds // their number
)

// Item is one thing that a store keeps. Equal things have equal items in every engine.
type Item struct {
	Kind       ItemKind
	Key, Value []byte
	Body       []byte // a QueueRequest, or the body of a result
	Dead       bool   // of an invocation
}

// Portable reads and writes all that a store keeps, in order to copy it. No worker uses the store
// meanwhile.
type Portable interface {
	// Items reads a bounded number of items of one kind, beginning after the cursor of an earlier
	// page, nil for the beginning. next is nil at the end. Each item comes exactly once. What
	// cannot be read is an error.
	Items(ctx context.Context, kind ItemKind, cursor []byte) (page []Item, next []byte, err error)
	// PutItems writes items that the store does not have, and a note, in one batch, and returns
	// when that is durable. The secret takes the place of the one that is there.
	PutItems(ctx context.Context, items []Item, n Note) error
}

// Identity identifies a store, and its copies. It follows from the secret and does not show it.
func Identity(ctx context.Context, p Portable) (string, error) {
	secret, _, err := p.Items(ctx, ItemSecret, nil)
	h := sha256.New()
	_, _ = h.Write([]byte("identity of a queue-worker store\x00")) // a hash takes everything
	for _, it := range secret {
		_, _ = h.Write(it.Value)
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), err
}

// ItemPage and ItemPageBytes bound a page of items. One item more may be in it.
const (
	ItemPage      = 500
	ItemPageBytes = 1 << 20
)

// Names of the notes of a copy, which are not copied.
const (
	CopyNotes    = "copy/" // their prefix
	CopyProgress = CopyNotes + "progress"
	CopyMoved    = CopyNotes + "moved"
)

// ErrCopied is wrapped by the error of a store that a copy was made of, or that one is being made in.
var ErrCopied = errors.New("not to be used by a worker")

// CopyState is what CopyProgress and CopyMoved hold.
type CopyState struct {
	From   string   // the store that was copied
	Kind   ItemKind // of the next page
	Cursor []byte   // of the next page
	Done   bool
}

// Encode is the value of the note.
func (c CopyState) Encode() []byte {
	b, _ := json.Marshal(c) // it has nothing that JSON lacks
	return b
}

// CheckCopied returns nil, or an ErrCopied for a store from which everything was moved, or into which
// a copy has not ended.
func CheckCopied(n Notes) error {
	marks := n.Notes(CopyNotes)
	if _, moved := marks[CopyMoved]; moved {
		return fmt.Errorf("%w: everything in this store was moved to another one with `store copy`: use that one, or copy this one to an empty store", ErrCopied)
	}
	value, begun := marks[CopyProgress]
	var c CopyState
	if begun && (json.Unmarshal(value, &c) != nil || !c.Done) {
		return fmt.Errorf("%w: a copy into this store has not ended: run the same `store copy` again, or use the store that it reads", ErrCopied)
	}
	return nil
}
