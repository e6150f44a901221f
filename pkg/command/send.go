// File send.go invokes a function once.

package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"queue-worker/pkg/client"
	"queue-worker/pkg/term"
)

// sendFlags are the flags of send.
type sendFlags struct {
	data, key     string
	headers       []string
	delay, maxAge time.Duration
	notBefore     string
	wait          bool
	timeout       time.Duration
}

func newSend(e *env) *cobra.Command {
	c := command("send FUNCTION[/PATH][?QUERY]", "Invoke a function once, asynchronously", `
The body is that of -d, or of the file after -d @, or standard input when that is not
a terminal. Without --wait it prints the call id and the invocation's own id, tab
separated when it is not on a terminal. With --wait it says how the invocation ended
on standard error, and writes the answer of the function, where result_ttl keeps it.
Ctrl-C ends the waiting, not the invocation.`,
		"0 accepted, with --wait done; 1 failed, with --wait dead, cancelled or not finished in time; 2 wrong usage",
		"queue-worker send figlet -d hello", "queue-worker send report/daily -d @order.json -H 'Content-Type: application/json' --delay 10m",
		"echo hello | queue-worker send figlet --wait --timeout 1m", "queue-worker send charge -d 7 --idempotency-key order-7")
	c.Args = args(1, 1, "one function")
	r := newRemote(e, c)
	o := &sendFlags{}
	f := c.Flags()
	f.StringVarP(&o.data, "data", "d", "", "the body; @FILE reads it from a file, @- from standard input")
	f.StringArrayVarP(&o.headers, "header", "H", nil, "a header for the function, 'Name: value'; may be given more than once")
	spanVar(f, &o.delay, "delay", 0, "call it after this long, such as 90s or 10m")
	f.StringVar(&o.notBefore, "not-before", "", "call it then or later, such as 2026-01-31T12:00:00Z")
	spanVar(f, &o.maxAge, "max-age", 0, "give up when it is older than this")
	f.StringVar(&o.key, "idempotency-key", "", "the same key within idempotency_window runs once")
	f.BoolVar(&o.wait, "wait", false, "wait until it has finished")
	spanVar(f, &o.timeout, "timeout", 0, "with --wait: wait at most this long (default: no limit)")
	c.RunE = r.run(func(ctx context.Context, s *session, args []string) error {
		sub, closer, err := o.submission(ctx, c, s, args[0])
		if err != nil {
			return err
		}
		defer func() { _ = closer.Close() }()
		receipt, err := s.Send(ctx, sub)
		if err != nil {
			return err
		}
		if !o.wait {
			return s.sent(receipt)
		}
		return s.awaitSent(ctx, receipt, o.timeout)
	})
	return c
}

// submission is what the flags ask to send. What it reads from has to be closed.
func (o *sendFlags) submission(ctx context.Context, c *cobra.Command, s *session, target string) (client.Submission, io.Closer, error) {
	nothing := io.NopCloser(nil)
	target, query, _ := strings.Cut(target, "?")
	function, path, _ := strings.Cut(target, "/")
	sub := client.Submission{Function: function, Path: path, Query: query, Delay: o.delay, MaxAge: o.maxAge, Key: o.key}
	switch {
	case function == "":
		return sub, nothing, usageError{errors.New("no function given: FUNCTION or FUNCTION/PATH")}
	case c.Flags().Changed("max-age") && o.maxAge == 0:
		return sub, nothing, usageError{errors.New("--max-age: expected a duration above 0; at 0 the function would never be called")}
	case o.timeout != 0 && !o.wait:
		return sub, nothing, usageError{errors.New("--timeout needs --wait")}
	case c.Flags().Changed("idempotency-key") && o.key == "":
		return sub, nothing, usageError{errors.New("--idempotency-key has no value")}
	}
	var err error
	if sub.Header, err = o.header(); err != nil {
		return sub, nothing, err
	}
	if o.notBefore != "" {
		if sub.NotBefore, err = time.Parse(time.RFC3339Nano, o.notBefore); err != nil {
			return sub, nothing, usageError{fmt.Errorf("--not-before %q: expected a time such as 2026-01-31T12:00:00Z", o.notBefore)}
		}
	}
	closer, err := o.body(ctx, c, s, &sub)
	return sub, closer, err
}

func (o *sendFlags) header() (http.Header, error) {
	h := http.Header{}
	for _, line := range o.headers {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, usageError{fmt.Errorf("-H %q: write it as 'Name: value'", line)}
		}
		h.Add(name, strings.TrimSpace(value))
	}
	return h, nil
}

// body finds where the body comes from.
func (o *sendFlags) body(ctx context.Context, c *cobra.Command, s *session, sub *client.Submission) (io.Closer, error) {
	name, isFile := strings.CutPrefix(o.data, "@")
	switch {
	case isFile && name != "-":
		f, err := openNamed(ctx, name)
		if err != nil {
			return io.NopCloser(nil), err
		}
		if sub.Body, sub.Size = f, f.size; sub.Size == 0 {
			sub.Body = peeked(f)
		}
		return f, nil
	case isFile || !c.Flags().Changed("data") && !s.Asking:
		sub.Body = s.In
	case o.data != "":
		sub.Body, sub.Size = strings.NewReader(o.data), int64(len(o.data))
	}
	return io.NopCloser(nil), nil
}

// peeked reads one byte ahead: it returns nil for an empty file of unknown size, which is
// sent as an empty body.
func peeked(r io.Reader) io.Reader {
	first := make([]byte, 1)
	n, err := io.ReadFull(r, first)
	if n == 0 && errors.Is(err, io.EOF) {
		return nil
	}
	return io.MultiReader(bytes.NewReader(first[:n]), r)
}

// sent says that an invocation was taken.
func (s *session) sent(receipt *client.Receipt) error {
	if s.JSON {
		return writeJSON(s.Console, receipt)
	}
	return s.Table([]term.Column{{Title: "call id"}, {Title: "id"}}, [][]term.Cell{{term.Text(receipt.CallID), term.Text(receipt.ID)}})
}

// awaitSent waits for the end of what was sent, and shows it.
func (s *session) awaitSent(ctx context.Context, receipt *client.Receipt, timeout time.Duration) error {
	id := receipt.ID
	if id == "" {
		id = receipt.CallID
	}
	s.Tell("accepted, call id %s; waiting for its outcome", receipt.CallID)
	all, err := s.await(ctx, id, timeout)
	if ctx.Err() != nil {
		s.Tell("it continues; show it:  queue-worker invocation get %s", id)
	}
	if err != nil {
		return err
	}
	if s.JSON {
		return errors.Join(s.Document(all.JSON()), howTheyEnded(all))
	}
	for _, i := range all.Invocations {
		if i.Kind == "callback" {
			continue
		}
		s.Tell("%s, status %s, %d retries", i.State, statusText(i.Status, i.Reason), i.Retries)
		if !i.HasResult {
			s.Tell("the worker does not keep answers; set result_ttl")
			break
		}
		if err := s.writeResult(ctx, i.ID); err != nil {
			return err
		}
		break
	}
	return howTheyEnded(all)
}
