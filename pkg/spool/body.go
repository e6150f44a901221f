// File body.go has one body: it is read from a sender once, and written out any number of times.

package spool

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
)

const (
	// pieceSize is how much room a body takes at a time, in bytes.
	pieceSize = 64 << 10
	// checkEvery is how many bytes a file grows between two looks at the volume.
	checkEvery = 1 << 20
)

// pieces are used again: a body of 8 MiB has 128 of them.
var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// Body is a long body. One goroutine uses it at a time, and closes it.
type Body struct {
	spool  *Spool
	pieces []*[pieceSize]byte // of a body in memory; with a file, what is read into
	size   int64
	file   *os.File // nil while it is in memory
	name   string   // of the file, "" when it has none
	onDisk int64    // bytes of the file that are counted
	cut    bool
}

// Read reads r to its end, at most limit bytes, those of begin included, which come first and are copied.
// The body is the caller's to close, also after an error, which is that of r. It may be cut: see Cut.
func (s *Spool) Read(begin []byte, r io.Reader, limit int64) (*Body, error) {
	b := &Body{spool: s}
	for r = io.MultiReader(bytes.NewReader(begin), r); b.size < limit; {
		room := b.room()
		if room == nil {
			return b, nil
		}
		n, err := r.Read(room[:min(int64(len(room)), limit-b.size)])
		if n > 0 && !b.add(room[:n]) {
			return b, nil
		}
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// room returns memory to read into; nil when there is none, and the body is cut.
func (b *Body) room() []byte {
	at := b.size % pieceSize
	switch {
	case b.file != nil:
		return b.pieces[0][:]
	case at > 0:
		return b.pieces[len(b.pieces)-1][at:]
	case b.spool.take(pieceSize):
		p := pieces.Get().(*[pieceSize]byte)
		b.pieces = append(b.pieces, p)
		return p[:]
	case b.toFile() == nil:
		return b.pieces[0][:]
	}
	b.cut = true
	return nil
}

// add counts bytes that were read into room. It reports false when they cannot be kept.
func (b *Body) add(p []byte) bool {
	if b.file != nil && b.write(p) != nil {
		b.cut = true
		return false
	}
	b.size += int64(len(p))
	return true
}

// toFile moves the body into a file. One piece stays, to read into.
func (b *Body) toFile() error {
	f, name, err := b.spool.create()
	if err != nil {
		return err
	}
	memory := b.pieces
	b.file, b.name = f, name
	for i, p := range memory {
		if err := b.write(p[:min(b.size-int64(i)*pieceSize, pieceSize)]); err != nil {
			b.file, b.pieces = nil, memory
			b.closeFile(f)
			return err
		}
	}
	b.dropPieces()
	b.pieces = []*[pieceSize]byte{pieces.Get().(*[pieceSize]byte)}
	return nil
}

// write appends to the file. Every checkEvery bytes it looks whether the store needs the room.
func (b *Body) write(p []byte) error {
	if b.onDisk/checkEvery != (b.onDisk+int64(len(p)))/checkEvery {
		if err := b.spool.full(); err != nil {
			return err
		}
	}
	n, err := b.file.WriteAt(p, b.onDisk)
	b.onDisk += int64(n)
	b.spool.onDisk.Add(int64(n))
	return err
}

// Size is how many bytes the body has.
func (b *Body) Size() int64 { return b.size }

// Cut reports whether the sender had more, for which there was no room.
func (b *Body) Cut() bool { return b.cut }

// Limit cuts the body to n bytes. It does nothing to nil.
func (b *Body) Limit(n int64) {
	if b != nil {
		b.size = min(b.size, n)
	}
}

// WriteTo implements io.WriterTo.
func (b *Body) WriteTo(w io.Writer) (written int64, err error) {
	if b.file != nil {
		return io.Copy(w, b.Reader())
	}
	for _, p := range b.pieces {
		n, err := w.Write(p[:min(b.size-written, pieceSize)])
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// Reader reads the body from its start. The body must not be closed while it is read.
func (b *Body) Reader() io.Reader {
	if b.file != nil {
		return io.NewSectionReader(b.file, 0, b.size)
	}
	all, left := make([]io.Reader, len(b.pieces)), b.size
	for i, p := range b.pieces {
		n := min(left, pieceSize)
		all[i], left = bytes.NewReader(p[:n]), left-n
	}
	return io.MultiReader(all...)
}

// Bytes returns a copy of the whole body.
func (b *Body) Bytes() ([]byte, error) {
	all := collector(make([]byte, 0, b.size))
	_, err := b.WriteTo(&all)
	return all, err
}

// collector appends what is written to it.
type collector []byte

// Write implements io.Writer.
func (c *collector) Write(p []byte) (int, error) {
	*c = append(*c, p...)
	return len(p), nil
}

// Close gives back the room of the body, and removes its file. It may be called again, and for nil.
func (b *Body) Close() {
	if b == nil {
		return
	}
	if f := b.file; f != nil {
		pieces.Put(b.pieces[0])
		b.file, b.pieces = nil, nil
		b.closeFile(f)
	}
	b.dropPieces()
	b.size = 0
}

func (b *Body) closeFile(f *os.File) {
	_ = f.Close()
	b.spool.files.Add(-1)
	if b.name != "" {
		_ = b.spool.root.Remove(b.name) // the next start removes what is left
	}
	b.spool.onDisk.Add(-b.onDisk)
	b.onDisk, b.name = 0, ""
}

// dropPieces gives back the memory of a body, which counts.
func (b *Body) dropPieces() {
	for _, p := range b.pieces {
		pieces.Put(p)
	}
	b.spool.giveBack(int64(len(b.pieces)) * pieceSize)
	b.pieces = nil
}
