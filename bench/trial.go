// One trial of a program: a server, functions and a folder of its own, so that
// nothing is left over from the one before.

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// trial is a program at work for functions that tell.
type trial struct {
	broker, crowd *child
	worker        *running
	admin         string // port where our worker has its metrics
}

// trialTimeout bounds one trial.
const trialTimeout = 3 * time.Minute

// onlyRun is the name of the only run that a trial has.
const onlyRun = "1"

// begin publishes n messages, which may name the port of the functions, and starts the
// program to work them off.
func begin(ctx context.Context, o options, tmp string, p program, env []string, n int, message func(i int, port string) ([]byte, error)) (t *trial, err error) {
	t = &trial{}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	if t.broker, err = startChild(ctx, "child-broker", fmt.Sprint(2*o.waiting)); err != nil {
		return t, err
	}
	if t.crowd, err = startChild(ctx, "child-crowd"); err != nil {
		return t, err
	}
	if err = ask(ctx, t.crowd.says, http.MethodPost, "/begin/"+onlyRun, nil); err != nil {
		return t, err
	}
	if err = publish(t.broker.says, n, func(i int) ([]byte, error) { return message(i, t.crowd.says) }); err != nil {
		return t, fmt.Errorf("publish: %w", err)
	}
	if t.admin, err = freePort(); err != nil {
		return t, err
	}
	dir, err := os.MkdirTemp(tmp, "trial-")
	if err != nil {
		return t, err
	}
	env = append(append(environment(t.broker.says, t.crowd.says, o.inflight), p.env(filepath.Join(dir, "store"))...), env...)
	env = append(env, "http_listen_address=127.0.0.1:"+t.admin)
	t.worker, err = p.start(ctx, env, func(error) {})
	return t, err
}

// close ends everything. What is still to be done is lost.
func (t *trial) close() {
	if t.worker != nil {
		t.worker.kill()
	}
	for _, c := range []*child{t.crowd, t.broker} {
		if c != nil {
			c.close()
		}
	}
}

// noted asks the functions.
func (t *trial) noted(ctx context.Context) (n noted, err error) {
	return n, ask(ctx, t.crowd.says, http.MethodGet, "/noted", &n)
}

// accepted waits until our worker has taken in n messages.
func (t *trial) accepted(ctx context.Context, n int) error {
	for {
		if got, err := t.metric(ctx, "queue_worker_accepted_total"); err == nil && got >= float64(n) {
			return nil
		}
		if err := t.rest(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// rest waits, and says when the program or the time has ended.
func (t *trial) rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-t.worker.over:
		return errors.New("the program ended")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// metric reads one series without labels.
func (t *trial) metric(ctx context.Context, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+t.admin+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.Join(lines.Err(), fmt.Errorf("no metric %s", name))
}

// freePort finds a port that nobody listens on.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}
