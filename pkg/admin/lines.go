// File lines.go reads the lines of a long request, each of bounded length.

package admin

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"

	"golang.org/x/sync/semaphore"
)

// Bounds of a line. A QueueRequest of 64 MiB, the most that NATS can carry, fits.
const (
	maxLine   = 96 << 20
	largeLine = 1 << 20  // from here on a line is read alone
	skipLine  = 64 << 20 // of a line that is too long, beyond which it counts as endless
)

var (
	errLongLine    = errors.New("the line is too long")
	errEndlessLine = errors.New("the line is endless")
)

// lineReader reads lines. A large one is charged to the bytes that all requests
// together may hold.
type lineReader struct {
	from    *bufio.Reader
	budget  *semaphore.Weighted
	most    int // bytes of a line
	skip    int // bytes of the rest of one that is too long
	line    []byte
	charged bool
}

func newLineReader(r io.Reader, budget *semaphore.Weighted) *lineReader {
	return &lineReader{from: bufio.NewReaderSize(r, 64<<10), budget: budget, most: maxLine, skip: skipLine}
}

// next returns a line without its end, which is valid until the next call;
// io.EOF after the last one. After errLongLine it can continue with the line that
// follows.
func (l *lineReader) next(ctx context.Context) ([]byte, error) {
	l.release()
	l.line = l.line[:0]
	for {
		part, err := l.from.ReadSlice('\n')
		if len(l.line)+len(part) > l.most {
			return nil, l.pass(err)
		}
		if err := l.charge(ctx, len(part)); err != nil {
			return nil, err
		}
		l.line = append(l.line, part...)
		switch {
		case err == nil, errors.Is(err, io.EOF) && len(l.line) > 0:
			return bytes.TrimSpace(l.line), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// pass skips the rest of a line that is too long.
func (l *lineReader) pass(err error) error {
	l.line = nil
	for skipped := 0; errors.Is(err, bufio.ErrBufferFull); {
		var part []byte
		if part, err = l.from.ReadSlice('\n'); skipped > l.skip {
			return errEndlessLine
		}
		skipped += len(part)
	}
	if err == nil || errors.Is(err, io.EOF) {
		return errLongLine
	}
	return err
}

// charge asks for the budget when a line becomes a large one.
func (l *lineReader) charge(ctx context.Context, more int) error {
	if l.charged || len(l.line)+more <= largeLine {
		return nil
	}
	if err := l.budget.Acquire(ctx, rawBytes); err != nil {
		return context.Cause(ctx)
	}
	l.charged = true
	return nil
}

// release gives back what a large line has held.
func (l *lineReader) release() {
	if l.charged {
		l.budget.Release(rawBytes)
		l.charged, l.line = false, nil
	}
}
