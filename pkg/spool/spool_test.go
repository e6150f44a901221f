package spool

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"

	"queue-worker/pkg/datadir"
)

func newSpool(t *testing.T, o Options) *Spool {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// text is n bytes, each piece of them another.
func text(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i / 1000)
	}
	return b
}

// wantHeld checks what all bodies together have.
func wantHeld(t *testing.T, s *Spool, memory, files int64) {
	t.Helper()
	if m, f := s.Held(); m != memory || f != files {
		t.Errorf("held: got %d in memory and %d in files, want %d and %d", m, f, memory, files)
	}
}

func TestABodyIsInMemoryOrInAFile(t *testing.T) {
	t.Parallel()
	const budget = 12 * pieceSize // half of it for arriving bodies with files
	for name, tt := range map[string]struct {
		size, limit   int64
		dir           bool
		want          int64
		cut           bool
		memory, files int64
	}{
		"in memory":                  {3*pieceSize + 1, 1 << 30, true, 3*pieceSize + 1, false, 4 * pieceSize, 0},
		"as long as the room":        {6 * pieceSize, 6 * pieceSize, true, 6 * pieceSize, false, 6 * pieceSize, 0},
		"in a file":                  {20*pieceSize + 7, 1 << 30, true, 20*pieceSize + 7, false, 0, 20*pieceSize + 7},
		"in a file, up to the limit": {20 * pieceSize, 7*pieceSize + 5, true, 7*pieceSize + 5, false, 0, 7*pieceSize + 5},
		"without files":              {13 * pieceSize, 1 << 30, false, 12 * pieceSize, true, 12 * pieceSize, 0},
		"short":                      {5, 1 << 30, false, 5, false, pieceSize, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := Options{Memory: budget}
			if tt.dir {
				o.Dir = t.TempDir()
			}
			s, all := newSpool(t, o), text(int(tt.size))
			begin := all[:min(len(all), pieceSize)]
			b, err := s.Read(begin, iotest.HalfReader(bytes.NewReader(all[len(begin):])), tt.limit)
			if err != nil {
				t.Fatal(err)
			}
			if got := b.Size(); got != tt.want {
				t.Errorf("size: got %d, want %d", got, tt.want)
			}
			if got := b.Cut(); got != tt.cut {
				t.Errorf("cut: got %t, want %t", got, tt.cut)
			}
			read, err := io.ReadAll(b.Reader())
			if err != nil || !bytes.Equal(read, all[:tt.want]) {
				t.Errorf("read: got %d other bytes, %v, want the first %d", len(read), err, tt.want)
			}
			for range 2 {
				if got, err := b.Bytes(); err != nil || !bytes.Equal(got, all[:tt.want]) {
					t.Errorf("got %d other bytes, %v, want the first %d", len(got), err, tt.want)
				}
			}
			wantHeld(t, s, tt.memory, tt.files)
			b.Close()
			b.Close()
			wantHeld(t, s, 0, 0)
			if s.free != budget-s.most {
				t.Errorf("free at the end: got %d, want %d", s.free, budget-s.most)
			}
		})
	}
}

func TestAFileHasNoNameAndOnlyItsOwnerReadsIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSpool(t, Options{Memory: 1, Dir: dir})
	b, err := s.Read(nil, bytes.NewReader(text(9)), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	info, err := b.file.Stat()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode: got %v, %v, want -rw-------", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, datadir.Spool)); err != nil || len(left) != 0 {
		t.Errorf("names in the folder: got %v, %v, want none", left, err)
	}
}

func TestWhatACrashHasLeftIsRemoved(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	folder, kept := filepath.Join(dir, datadir.Spool), filepath.Join(outside, "kept")
	err := errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(folder, "answer-1"), []byte("x"), 0o600), os.WriteFile(kept, nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	newSpool(t, Options{Memory: 1, Dir: dir})
	if left, _ := os.ReadDir(folder); len(left) != 0 {
		t.Errorf("left: got %v, want nothing", left)
	}
	if err := errors.Join(os.Remove(folder), os.Symlink(outside, folder)); err != nil {
		t.Fatal(err)
	}
	s := newSpool(t, Options{Memory: 1, Dir: dir}) // the link itself goes
	b, err := s.Read(nil, bytes.NewReader(text(9)), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	if left, _ := os.ReadDir(outside); len(left) != 1 {
		t.Errorf("outside of data_dir: got %v, want what was there", left)
	}
}

func TestABodyIsCutWhereAFileCannotGrow(t *testing.T) {
	t.Parallel()
	full, looks := errors.New("full"), 0
	s := newSpool(t, Options{Memory: 1, Dir: t.TempDir(), Full: func() error {
		if looks++; looks > 2 {
			return full
		}
		return nil
	}})
	b, err := s.Read(nil, bytes.NewReader(text(9*checkEvery)), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := b.Size(), int64(2*checkEvery-pieceSize); got != want || !b.Cut() {
		t.Errorf("got %d bytes, cut %t, want %d, cut", got, b.Cut(), want)
	}
	b.Close()
	wantHeld(t, s, 0, 0)
	if b, err := s.Read(nil, bytes.NewReader(text(9)), 1<<30); err != nil || b.Size() != 0 || !b.Cut() {
		t.Errorf("without room for a file: got %d bytes, %v, want none, cut", b.Size(), err)
	}
}

func TestAnErrorOfTheSenderIsReturned(t *testing.T) {
	t.Parallel()
	s := newSpool(t, Options{Memory: 1 << 20})
	b, err := s.Read([]byte("begin"), iotest.ErrReader(io.ErrUnexpectedEOF), 1<<20)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want that of the sender", err)
	}
	b.Close()
	wantHeld(t, s, 0, 0)
}

func TestADataDirThatIsMissingIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := New(Options{Dir: filepath.Join(t.TempDir(), "missing")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that it does not exist", err)
	}
}

func TestSettlingWaitsForItsPartAlone(t *testing.T) {
	t.Parallel()
	s := newSpool(t, Options{Memory: 8 * pieceSize, Dir: t.TempDir()})
	b, err := s.Read(nil, bytes.NewReader(text(4*pieceSize)), 4*pieceSize) // all that arriving bodies have
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	release, err := s.Settle(t.Context(), 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Settle(ctx, 1); err == nil {
		t.Error("a second one: got no error, want that it waits until its context ends")
	}
	release()
	release()
	again, err := s.Settle(t.Context(), 2*pieceSize)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestManyBytesInMemoryAreReported(t *testing.T) {
	t.Parallel()
	var got []bool
	s := newSpool(t, Options{Memory: 64 << 20, Many: func(many bool) { got = append(got, many) }})
	read := func(n int) *Body {
		b, err := s.Read(nil, bytes.NewReader(text(n)), int64(n))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first, second := read(manyBytes/2), read(manyBytes/2)
	if want := []bool{true}; !slices.Equal(got, want) {
		t.Errorf("at %d bytes: got %v, want %v", manyBytes, got, want)
	}
	second.Close()
	read(manyBytes / 2).Close()
	if want := []bool{true}; !slices.Equal(got, want) {
		t.Errorf("at half and at all of it again: got %v, want %v", got, want)
	}
	first.Close()
	if want := []bool{true, false}; !slices.Equal(got, want) {
		t.Errorf("at the end: got %v, want %v", got, want)
	}
}
