package cli

// Questions.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
)

// ErrNobodyToAsk is returned where a question would be asked of a script.
var ErrNobodyToAsk = errors.New("there is nobody to ask: standard input is not a terminal; add --yes to go on without a question")

// Confirm asks a question that only "yes" answers with true. Without a terminal it
// is ErrNobodyToAsk. When ctx ends, its cause is returned; the read that was under
// way is left behind.
func (c *Console) Confirm(ctx context.Context, question string) (bool, error) {
	if !c.Asking {
		return false, ErrNobodyToAsk
	}
	_, _ = fmt.Fprintf(c.Err, "%s Type \"yes\" to go on: ", Clean(question))
	answer := make(chan string, 1)
	go func() { // ends with the next line, or with the process
		line, _ := bufio.NewReader(c.In).ReadString('\n')
		answer <- line
	}()
	select {
	case line := <-answer:
		return strings.TrimSpace(line) == "yes", nil
	case <-ctx.Done():
		_, _ = fmt.Fprintln(c.Err)
		return false, context.Cause(ctx)
	}
}
