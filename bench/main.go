// Command bench measures how many invocations a second three programs get from
// NATS Streaming to a function, one after the other, on the same server and the
// same function:
//
//	ours       this repository's queue-worker, with data_dir on disk
//	bare       receive, decode with encoding/json, call over pooled connections,
//	           ack; no store, no retries: what a worker could reach at most if it
//	           kept nothing
//	community  the OpenFaaS Community Edition worker, built from its module
//
// The server keeps its messages in memory, so it is not the limit, and the
// function answers at once. Every process runs on this machine. All messages of a
// run are published before its worker starts; the time is that from the first
// call to the last one at the function.
//
// With -fair it measures instead what a quiet function waits beside flooded and slow
// ones (fair.go), and with -pace what a function costs that takes five calls at a
// time (pace.go).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options are the command line's.
type options struct {
	rounds    int
	messages  int
	community int
	body      int
	inflight  int
	window    int
	dir       string
	programs  string

	fair, pace bool
	every      time.Duration
	lasting    time.Duration
	waiting    int
}

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "child-broker":
			exit(runBroker(os.Args[2]))
		case "child-sink":
			exit(runSink())
		case "child-crowd":
			exit(runCrowd())
		case "child-bare":
			exit(runBare())
		}
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "measurements of each program; the median counts")
	flag.IntVar(&o.messages, "messages", 100_000, "messages of one measurement")
	flag.IntVar(&o.community, "community-messages", 10_000, "messages of one measurement of the Community worker, which handles one at a time")
	flag.IntVar(&o.body, "body", 256, "bytes of a body")
	flag.IntVar(&o.inflight, "inflight", 64, "calls at a time: max_inflight, and the goroutines of the bare loop")
	flag.IntVar(&o.window, "window", 256, "messages that the bare loop has unacked at NATS Streaming at most")
	flag.StringVar(&o.dir, "dir", ".", "folder for the store of our worker: a disk, not tmpfs")
	flag.StringVar(&o.programs, "programs", "ours,bare,community", "what to measure")
	flag.BoolVar(&o.fair, "fair", false, "measure what a quiet function waits beside others")
	flag.BoolVar(&o.pace, "pace", false, "measure what a function costs that takes five calls at a time")
	flag.DurationVar(&o.every, "every", 20*time.Millisecond, "with -fair: time between two calls of the quiet function")
	flag.DurationVar(&o.lasting, "for", 6*time.Second, "with -fair: how long it is called in each case")
	flag.IntVar(&o.waiting, "waiting", 100_000, "with -fair: what the flooded functions have waiting, all together")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, o))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, o options) (err error) {
	if o.rounds < 1 || o.messages < 2 || o.community < 2 || o.inflight < 1 || o.window < 1 ||
		o.every <= 0 || o.lasting < o.every || o.waiting < 1000 {
		return errors.New("-rounds, -messages, -community-messages, -inflight, -window and -every have to be positive, -for not below -every, -waiting not below 1000")
	}
	tmp, err := os.MkdirTemp(o.dir, "data-")
	if err != nil {
		return err
	}
	if tmp, err = filepath.Abs(tmp); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()

	if o.fair || o.pace {
		return compare(ctx, tmp, o)
	}
	programs, err := build(ctx, tmp, o)
	if err != nil {
		return err
	}
	s, err := newStand(ctx, o, tmp)
	if err != nil {
		return err
	}
	defer s.close()
	return s.measure(ctx, programs)
}

// compare makes the measurements in which our worker stands beside the Community
// worker, and a bare loop says nothing.
func compare(ctx context.Context, tmp string, o options) error {
	o.programs = "ours,community"
	programs, err := build(ctx, tmp, o)
	if err != nil {
		return err
	}
	if o.fair {
		err = fair(ctx, tmp, o, programs)
	}
	if o.pace && err == nil {
		err = paced(ctx, tmp, o, programs)
	}
	return err
}
