// File trial.go runs one program for functions of several kinds, with a server, functions and a
// folder of its own.

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"
)

// trial is a running program for functions that remember how they were called.
type trial struct {
	*running
	dir           string
	broker, crowd *child
}

// trialTimeout bounds one trial.
const trialTimeout = 3 * time.Minute

// newTrial publishes n messages, which may name the port of the functions, and starts the program.
func (b *bench) newTrial(ctx context.Context, p program, env []string, n int, message func(i int, port string) ([]byte, error)) (t *trial, err error) {
	t = &trial{}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	if t.dir, err = os.MkdirTemp(b.dir, "trial-"); err != nil {
		return t, err
	}
	if t.broker, err = startChild(ctx, "child-broker", fmt.Sprint(2*max(b.waiting, n))); err != nil {
		return t, err
	}
	if t.crowd, err = startChild(ctx, "child-crowd"); err != nil {
		return t, err
	}
	if err = ask(ctx, t.crowd.port, http.MethodPost, "/begin/"+runName, nil); err != nil {
		return t, err
	}
	if err = publish(t.broker.port, n, func(i int) ([]byte, error) { return message(i, t.crowd.port) }); err != nil {
		return t, fmt.Errorf("publish: %w", err)
	}
	t.running, err = p.start(ctx, t.dir, append(environment(t.broker.port, t.crowd.port, b.inflight), env...))
	return t, err
}

// close ends everything, and gives up what is pending.
func (t *trial) close() {
	if t.running != nil {
		t.kill()
	}
	for _, c := range []*child{t.crowd, t.broker} {
		if c != nil {
			c.close()
		}
	}
	_ = os.RemoveAll(t.dir)
}

// noted asks the functions.
func (t *trial) noted(ctx context.Context) (n noted, err error) {
	return n, ask(ctx, t.crowd.port, http.MethodGet, "/noted", &n)
}

// accepted waits until our worker has accepted n messages.
func (t *trial) accepted(ctx context.Context, n int) error {
	for {
		if got, err := metrics(t.admin, "queue_worker_accepted_total"); err == nil && got[0] >= float64(n) {
			return nil
		}
		if err := t.wait(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}
