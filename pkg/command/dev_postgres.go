// File dev_postgres.go runs several workers on this machine, which share a store on PostgreSQL.
//
//	this process      gateway, chaos function, NATS Streaming
//	its children      three workers, and PostgreSQL where it is a private one

package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"queue-worker/pkg/app"
	"queue-worker/pkg/config"
	"queue-worker/pkg/dev"
)

// privatePostgres is --postgres without a value.
const privatePostgres = "private"

// devWorkers is how many workers dev --postgres starts.
const devWorkers = 3

// readyPeriod is how often a worker is asked whether it is ready.
const readyPeriod = 100 * time.Millisecond

// several are the parts of dev --postgres, in the order of their start.
type several struct {
	e       *env
	o       devOptions
	log     *slog.Logger
	out     *dev.Shared
	json    bool
	undo    []func() error
	workers []*devWorker
}

// devWorker is one of the workers.
type devWorker struct {
	*dev.Child
	address string
}

func runSeveral(e *env, o devOptions, c *config.Config, functions dev.Functions) (err error) {
	out := dev.NewShared(e.Stdout)
	log, closeLog := newLogger(out, c)
	defer closeLog()
	s := &several{e: e, o: o, log: log, out: out, json: c.LogEncoding == "json"}
	defer func() {
		for i := len(s.undo) - 1; i >= 0; i-- {
			err = errors.Join(err, s.undo[i]())
		}
	}()
	settings, err := s.database()
	if err != nil {
		return err
	}
	stan, err := app.ServeNATS(c, filepath.Join(o.data, "nats"), log)
	if err != nil {
		return err
	}
	s.undo = append(s.undo, func() error { stan(); return nil })
	stand, err := startGateway(e, o, c, functions, log)
	if err != nil {
		return err
	}
	s.undo = append(s.undo, stand.Close)
	if err := s.startWorkers(settings); err != nil {
		return err
	}
	return s.watch(c.Console)
}

// database starts a private PostgreSQL, or takes that of the flag, and returns the setting for it.
func (s *several) database() (setting string, err error) {
	if s.o.postgres != privatePostgres {
		url, is, err := config.DatabaseOf(s.o.postgres)
		switch {
		case err != nil:
			return "", usageError{fmt.Errorf("--postgres: %w", err)}
		case !is:
			return "", usageError{fmt.Errorf("--postgres %q: expected a URL such as postgres://queue-worker@127.0.0.1:5432/queue, or a file that holds one", s.o.postgres)}
		case url != s.o.postgres:
			file, err := filepath.Abs(s.o.postgres)
			return "store_url_file=" + file, err
		}
		return "store_url=" + url, nil
	}
	p, err := dev.StartPostgres(s.e.drain, s.o.data)
	if err != nil {
		return "", err
	}
	s.undo = append(s.undo, p.Close)
	s.log.Info("private PostgreSQL started", "pid", p.Pid(), "folder", filepath.Join(s.o.data, dev.PostgresFolder))
	return "store_url=" + p.URL(), nil
}

// lines are those of one process, with its name before each unless a program reads them.
func (s *several) lines(name string) *dev.Lines {
	if s.json {
		return dev.NewLines(s.out, "")
	}
	return dev.NewLines(s.out, name+" | ")
}

// startWorkers starts the workers, which end together.
func (s *several) startWorkers(setting string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	s.undo = append(s.undo, s.stopWorkers)
	for n := range devWorkers {
		address, err := nthAddress(s.o.http, n)
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(context.WithoutCancel(s.e.drain), program) // #nosec G204 -- this program
		cmd.Env = workerEnviron(s.e.Environ, s.o, address, setting)
		_, port, _ := net.SplitHostPort(address)
		child, err := dev.StartChild(cmd, dev.StopWorker, s.lines(port))
		if err != nil {
			return err
		}
		s.workers = append(s.workers, &devWorker{child, address})
		s.log.Info("worker started", "pid", child.Pid(), "url", "http://"+address)
	}
	return nil
}

// nthAddress is the address with a port that is n higher.
func nthAddress(first string, n int) (string, error) {
	host, text, err := net.SplitHostPort(first)
	if err != nil {
		return "", err
	}
	port, err := strconv.Atoi(text)
	return net.JoinHostPort(host, strconv.Itoa(port+n)), err
}

// workerEnviron is the environment of one worker.
func workerEnviron(environ []string, o devOptions, address, setting string) []string {
	o.http = address
	host, port, _ := net.SplitHostPort(o.stan)
	return append(devEnviron(environ, o), "data_dir=", "stan_embedded=false", "stan_listen_address=", "faas_nats_address="+host, "faas_nats_port="+port,
		"ack_wait=10s", "store_url=", "store_url_file=", setting)
}

// stopWorkers lets all workers drain at the same time. The second signal kills them.
func (s *several) stopWorkers() error {
	gone := make(chan struct{})
	for _, w := range s.workers {
		go func() { w.Stop(); gone <- struct{}{} }()
	}
	for left := len(s.workers); left > 0; {
		select {
		case <-gone:
			left--
		case <-s.e.abort.Done():
			for _, w := range s.workers {
				w.Kill()
			}
			for ; left > 0; left-- {
				<-gone
			}
		}
	}
	return nil
}

// errNoWorkers is how dev ends when all workers are gone.
var errNoWorkers = errors.New("no worker is left, see their lines above")

// watch greets when a worker is ready, reports workers that end, and returns when all have, or at the
// first signal.
func (s *several) watch(console bool) error {
	ctx, cancel := context.WithCancel(s.e.drain)
	defer cancel()
	ready, ended := make(chan string), make(chan *devWorker)
	for _, w := range s.workers {
		go func() {
			select {
			case <-w.Ended():
				select {
				case ended <- w:
				case <-ctx.Done():
				}
			case <-ctx.Done():
			}
		}()
		go awaitReady(ctx, w.address, ready)
	}
	for left := len(s.workers); ; {
		select {
		case <-s.e.drain.Done():
			return nil
		case address := <-ready:
			o := s.o
			o.http, ready = address, nil
			greetSeveral(s.log, o, s.workers, console)
		case w := <-ended:
			s.log.Warn("worker ended", "pid", w.Pid(), "url", "http://"+w.address, "left", left-1)
			if left--; left == 0 {
				return errNoWorkers
			}
		}
	}
}

// awaitReady asks a worker until it is ready, and says so.
func awaitReady(ctx context.Context, address string, ready chan<- string) {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
		if err == nil {
			if res, err := http.DefaultClient.Do(req); err == nil {
				_ = res.Body.Close()
				if res.StatusCode == http.StatusOK {
					break
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(readyPeriod):
		}
	}
	select {
	case ready <- address:
	case <-ctx.Done():
	}
}

// greetSeveral says what to do next: the address of a worker that is ready is in o.
func greetSeveral(log *slog.Logger, o devOptions, workers []*devWorker, console bool) {
	for _, w := range workers {
		if w.address == o.http {
			log.Info("several workers share the store", "try", "kill -9 "+strconv.Itoa(w.Pid()), "then", "another one takes over within seconds")
		}
	}
	greet(log, o, console)
}
