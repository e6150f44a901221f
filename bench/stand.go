// File stand.go runs one program once: with a server, functions and a folder of its own, so that
// nothing is left over from the run before.

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// runName is the only run that the functions count.
const runName = "run"

// load is what a program has to do.
type load struct {
	messages  int
	body      int // bytes
	inflight  int
	functions int                  // that share the messages
	fail      int                  // each fail-th invocation fails at its first call; 0 for none
	embedded  string               // folder of a full embedded server to begin with a copy of; "" for an outside server
	store     string               // folder of a store to begin with; "" for an empty one
	env       []string             // more settings
	timeout   time.Duration        // of the run
	after     func(*running) error // called when all has succeeded, before the program is ended; nil for nothing
}

// message is the i-th one.
func (l load) message(i int) ([]byte, error) {
	function := "bench"
	if l.functions > 1 {
		function += "-" + strconv.Itoa(i%l.functions)
	}
	return message(function, runName, int64(i), l.body)
}

// stand is a program with its surroundings.
type stand struct {
	load
	program program
	dir     string
	broker  *child // nil with an embedded server
	sink    *child
	worker  *running
}

// newStand starts the surroundings; the program comes later.
func (b *bench) newStand(ctx context.Context, p program, l load) (s *stand, err error) {
	s = &stand{load: l, program: p}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.dir, err = os.MkdirTemp(b.dir, "run-"); err != nil {
		return s, err
	}
	if s.sink, err = startChild(ctx, "child-sink"); err != nil {
		return s, err
	}
	if l.embedded == "" {
		if s.broker, err = startChild(ctx, "child-broker", strconv.Itoa(2*l.messages)); err != nil {
			return s, err
		}
	} else if err = s.copyServer(ctx, l.embedded); err != nil {
		return s, err
	}
	return s, s.ask(ctx, http.MethodPost, fmt.Sprintf("/begin/%s?n=%d&fail=%d", runName, l.messages, l.fail), nil)
}

// copyServer puts a copy of the embedded server's folder where the program has its own.
func (s *stand) copyServer(ctx context.Context, from string) error {
	if out, err := exec.CommandContext(ctx, "cp", "-r", from, s.serverDir()).CombinedOutput(); err != nil {
		return fmt.Errorf("copy the embedded server: %w: %s", err, out)
	}
	return nil
}

func (s *stand) serverDir() string { return filepath.Join(s.dir, "stan") }

// start starts the program.
func (s *stand) start(ctx context.Context) (err error) {
	port := "4222" // not used with an embedded server
	if s.broker != nil {
		port = s.broker.port
	}
	env := append(environment(port, s.sink.port, s.inflight), s.env...)
	switch {
	case s.embedded != "" && s.program.keeps:
		env = append(env, "stan_embedded=true", "stan_listen_address=127.0.0.1:0")
	case s.embedded != "":
		env = append(env, "bare_dir="+s.serverDir())
	}
	dir := s.dir
	if s.store != "" {
		dir = s.store
	}
	s.worker, err = s.program.start(ctx, dir, env)
	return err
}

// pids are the processes of the surroundings.
func (s *stand) pids() []int {
	pids := []int{s.sink.pid()}
	if s.broker != nil {
		pids = append(pids, s.broker.pid())
	}
	return pids
}

func (s *stand) ask(ctx context.Context, method, path string, answer any) error {
	return ask(ctx, s.sink.port, method, path, answer)
}

// await waits until every invocation has succeeded.
func (s *stand) await(ctx context.Context) (t tally, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-s.worker.ended:
			cancel(s.worker.why)
		case <-ctx.Done():
		}
	}()
	err = s.ask(ctx, http.MethodGet, "/await", &t)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return t, err
}

// close ends everything and removes the folder.
func (s *stand) close() {
	if s.worker != nil {
		s.worker.kill()
	}
	for _, c := range []*child{s.sink, s.broker} {
		if c != nil {
			c.close()
		}
	}
	_ = os.RemoveAll(s.dir)
}

// result is one run of one program.
type result struct {
	perSecond float64
	costs
	tally     tally
	disturbed bool // by other processes
}

// backlog publishes all messages, starts the program, and measures from the first call to the last.
func (b *bench) backlog(ctx context.Context, p program, l load) (r result, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.timeout, errors.New("the run took too long"))
	defer cancel()
	s, err := b.newStand(ctx, p, l)
	if err != nil {
		return r, err
	}
	defer s.close()
	if s.broker != nil {
		if err := publish(s.broker.port, l.messages, l.message); err != nil {
			return r, fmt.Errorf("publish: %w", err)
		}
	}
	m := newMeter(nil, s.pids()...)
	if err := s.start(ctx); err != nil {
		return r, err
	}
	m.worker = s.worker
	if r.tally, err = s.await(ctx); err != nil {
		return r, err
	}
	r.costs = m.read(l.messages)
	if l.after != nil {
		if err := l.after(s.worker); err != nil {
			return r, err
		}
	}
	r.perSecond = float64(l.messages-1) / r.tally.took().Seconds()
	return r, nil
}
