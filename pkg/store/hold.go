package store

// The marks of what is in hand. They stand in a small file beside the store, one
// record per slot, written before a call and cleared after it without a sync: a
// killed process leaves them behind, which is what they are for. What made the
// worker die again and again is found by them and is not called once more.

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/invocation"
)

// PoisonLimit is how many crashes an invocation may have been in hand at before
// it is buried without a call.
const PoisonLimit = 5

// markLen is the length of a record: an id and its checksum, so that a record
// that was half written counts for nothing.
const markLen = idLen + 4

const marksFile = "in-hand"

// marks is the file; nil without a folder, where nothing survives anyway.
type marks struct{ file vfs.File }

// Hold marks an invocation as in hand in a slot, numbered from 0 and below
// Options.Slots. The slot is the caller's until Release.
func (s *Store) Hold(slot int, id invocation.ID) {
	var b [markLen]byte
	copy(b[:], id[:])
	binary.BigEndian.PutUint32(b[idLen:], crc32.ChecksumIEEE(id[:]))
	s.mark(slot, b)
}

// Release clears the mark of a slot.
func (s *Store) Release(slot int) { s.mark(slot, [markLen]byte{}) }

func (s *Store) mark(slot int, b [markLen]byte) {
	if s.marks.file == nil {
		return
	}
	if _, err := s.marks.file.WriteAt(b[:], int64(slot)*markLen); err != nil {
		_ = s.damaged(err) // calls can go on; only the poison count suffers
	}
}

// openMarks reads the marks of the process before, settles what they mean, and
// clears them.
func (s *Store) openMarks(slots int) error {
	path := s.fs.PathJoin(s.dir, marksFile)
	f, err := s.fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	s.marks.file = f
	old, err := readMarks(f)
	if err != nil {
		return err
	}
	for _, id := range old {
		if err := s.crashed(id); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	size := max(slots, len(old)) * markLen
	_, err = f.WriteAt(make([]byte, size), 0)
	return err
}

func readMarks(f vfs.File) ([]invocation.ID, error) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	if err != nil {
		return nil, err
	}
	var ids []invocation.ID
	for ; len(b) >= markLen; b = b[markLen:] {
		id := invocation.ID(b[:idLen])
		if !id.IsZero() && binary.BigEndian.Uint32(b[idLen:]) == crc32.ChecksumIEEE(id[:]) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// crashed counts a crash against an invocation that was in hand, and buries it
// when there have been too many.
func (s *Store) crashed(id invocation.ID) error {
	o := &crashOp{id: id, call: make(call, 1)}
	if err := s.wait(context.Background(), o, o.call); err != nil {
		return err
	}
	s.recovered.InHand++
	if o.inv.State == invocation.Dead {
		s.recovered.Poisoned = append(s.recovered.Poisoned, o.inv)
	}
	return nil
}

// Recovered is what the marks of the process before came to.
type Recovered struct {
	InHand   int                      // invocations that were in hand when it died; they are ready again
	Poisoned []*invocation.Invocation // those that went to the dead set instead
}

// Recovered tells what was in hand when the process before died.
func (s *Store) Recovered() Recovered { return s.recovered }

type crashOp struct {
	call
	id  invocation.ID
	inv *invocation.Invocation
}

func (o *crashOp) size() int { return 0 }

func (o *crashOp) stage(t *txn) error {
	if err := t.touch(o.id); err != nil {
		return err
	}
	inv, err := t.s.Get(o.id)
	if err != nil {
		return err
	}
	at := Ready{Lane: inv.Lane, Since: inv.Since, ID: inv.ID}
	if ok, err := t.s.has(readyKey(at)); err != nil || !ok {
		return errors.Join(err, ErrNotFound) // settled before the crash
	}
	inv.Crashes++
	o.inv = inv
	if inv.Crashes < PoisonLimit {
		t.set(recordKey(inv.ID), encode(inv))
		return nil
	}
	t.unset(readyKey(at))
	t.delta.place(inv.Lane, inReady, -1)
	inv.State, inv.Reason, inv.DiedAt = invocation.Dead, invocation.Poison, t.now
	inv.Detail = "the worker crashed each time that it was in hand"
	t.put(inv)
	return nil
}

// closeMarks closes the file of the marks.
func (s *Store) closeMarks() error {
	if s.marks.file == nil {
		return nil
	}
	return s.marks.file.Close()
}
