package admin

import (
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/sync/semaphore"
)

// lineRig reads lines through small bounds.
func lineRig(from io.Reader) *lineReader {
	l := newLineReader(from, semaphore.NewWeighted(rawBytes))
	l.most, l.skip = 2<<20, 1<<20
	return l
}

func TestALineThatIsTooLongIsPassedOverAndAnEndlessOneEnds(t *testing.T) {
	t.Parallel()
	long, large := strings.Repeat("x", 2<<20), strings.Repeat("y", 3<<19)
	l := lineRig(strings.NewReader("one\n" + large + "\n" + long + "\ntwo\n" + long + "x"))
	for i, want := range []struct {
		line string
		err  error
	}{{"one", nil}, {large, nil}, {"", errLongLine}, {"two", nil}, {"", errLongLine}, {"", io.EOF}} {
		got, err := l.next(t.Context())
		switch {
		case string(got) != want.line:
			t.Errorf("line %d has %d bytes, %v, want %v", i, len(got), err, want.line)
		case !errors.Is(err, want.err):
			t.Errorf("line %d has %d bytes, %v, want %v", i, len(got), err, want.err)
		}
	}
	if !l.budget.TryAcquire(rawBytes) {
		t.Error("a large line still holds what it was charged")
	}
	l = lineRig(endless{})
	if _, err := l.next(t.Context()); !errors.Is(err, errEndlessLine) {
		t.Errorf("an endless line is %v, want %v", err, errEndlessLine)
	}
}

// endless is a line without an end.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}
