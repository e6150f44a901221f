// File file.go reads files that the user names, which may be pipes.

package command

import (
	"context"
	"io"
	"os"

	"queue-worker/pkg/term"
)

// namedFile is a file that the user has named. Reading it ends with the context.
type namedFile struct {
	io.Reader
	io.Closer
	size int64 // of a regular file; 0 for others
}

// openNamed opens a file to read. A pipe that has no writer yet is waited for until ctx ends.
func openNamed(ctx context.Context, name string) (*namedFile, error) {
	type result struct {
		f   *os.File
		err error
	}
	opened := make(chan result, 1)
	go func() { // ends when the file is open; the process does not wait for it
		f, err := os.Open(name) // #nosec G304 -- the user has named it
		opened <- result{f, err}
	}()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case r := <-opened:
		if r.err != nil {
			return nil, r.err
		}
		n := &namedFile{Reader: term.Until(ctx, r.f), Closer: r.f}
		if info, err := r.f.Stat(); err == nil && info.Mode().IsRegular() {
			n.size = info.Size()
		}
		return n, nil
	}
}
