// File ask.go reads from a terminal: questions, and input that an interrupt ends.

package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"queue-worker/pkg/escape"
)

// ErrNotTerminal is returned where a question would be asked of a script.
var ErrNotTerminal = errors.New("stdin is not a terminal: pass --yes to proceed")

// Confirm asks a question that only "yes" answers with true. Without a terminal it
// is ErrNotTerminal. What ends the reading of In early is returned.
func (c *Console) Confirm(question string) (bool, error) {
	if !c.Asking {
		return false, ErrNotTerminal
	}
	_, _ = fmt.Fprintf(c.Err, "%s Type \"yes\" to proceed: ", escape.Line(question))
	line, err := bufio.NewReader(c.In).ReadString('\n')
	if err != nil {
		_, _ = fmt.Fprintln(c.Err)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return strings.TrimSpace(line) == "yes", nil
}

// Until is a reader that ends with the cause of ctx when that ends first. The read
// that blocks then is left behind, as only its source can end it.
func Until(ctx context.Context, r io.Reader) io.Reader {
	return &until{ctx.Done(), func() error { return context.Cause(ctx) }, r}
}

type until struct {
	done  <-chan struct{}
	cause func() error
	r     io.Reader
}

func (u *until) Read(p []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	own := make([]byte, len(p)) // p is the caller's again when this returns
	ended := make(chan result, 1)
	go func() { // ends with the read
		n, err := u.r.Read(own)
		ended <- result{n, err}
	}()
	select {
	case r := <-ended:
		return copy(p, own[:r.n]), r.err
	case <-u.done:
		return 0, u.cause()
	}
}
