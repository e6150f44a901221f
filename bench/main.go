// Command bench measures how fast the queue-worker is, what an invocation costs, and how that compares
// with two other programs on the same server and functions:
//
//	ours       the queue-worker of this repository, with data_dir on a disk
//	bare loop  receive, decode, call over pooled connections, ack; no store, no retries
//	Community  the OpenFaaS Community Edition worker, built from its module
//
// It prints one table with every figure beside its goal. Every process runs on this machine.
//
// With -fair it measures only how long a quiet function waits beside flooded and slow ones (fair.go), and
// with -pace what a function costs that accepts five calls at a time (pace.go).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// options are those of the command line.
type options struct {
	quick    bool
	only     string
	rounds   int
	messages int
	body     int
	inflight int
	window   int
	dir      string
	out      string
	other    string
	keep     string

	fair, pace bool
	every      time.Duration
	lasting    time.Duration
	waiting    int
}

// children are the parts that run as processes of their own.
var children = map[string]func(args []string) error{
	"child-broker": func(args []string) error { return runBroker(args[0]) },
	"child-sink":   func([]string) error { return runSink() },
	"child-crowd":  func([]string) error { return runCrowd() },
	"child-bare":   func([]string) error { return runBare() },
}

func main() {
	if len(os.Args) > 1 {
		if run, ok := children[os.Args[1]]; ok {
			exit(run(os.Args[2:]))
		}
	}
	o := parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, o))
}

func parse() (o options) {
	flag.BoolVar(&o.quick, "quick", false, "at most 5 minutes: fewer rounds and steps, smaller sizes")
	flag.StringVar(&o.only, "only", "", "measure only these rows, with commas between them: "+strings.Join(rowNames(), ", "))
	flag.IntVar(&o.rounds, "rounds", 0, "rounds of each row; 0: five for backlog and CPU, three for the others, one with -quick")
	flag.IntVar(&o.messages, "messages", 100_000, "messages of a backlog; a fifth with -quick")
	flag.IntVar(&o.body, "body", 256, "bytes of a body")
	flag.IntVar(&o.inflight, "inflight", 64, "calls at a time: max_inflight, and the goroutines of the bare loop")
	flag.IntVar(&o.window, "window", 256, "messages that the bare loop has unacked at NATS Streaming at most")
	flag.StringVar(&o.dir, "dir", ".", "folder for the stores of workers: on a disk, not tmpfs")
	flag.StringVar(&o.out, "out", "", "page to write the table to; default ../docs/performance.md when every row is measured in full, else none")
	flag.StringVar(&o.other, "other", "", "binary of another build of the queue-worker to run beside ours in the rows backlog and embedded")
	flag.StringVar(&o.keep, "keep", "", "folder to keep the CPU profiles of the row profile in; empty: keep none")
	flag.BoolVar(&o.fair, "fair", false, "measure only how long a quiet function waits beside others")
	flag.BoolVar(&o.pace, "pace", false, "measure only what a function costs that accepts five calls at a time")
	flag.DurationVar(&o.every, "every", 20*time.Millisecond, "with -fair: time between two calls of the quiet function")
	flag.DurationVar(&o.lasting, "for", 6*time.Second, "with -fair: how long it is called in each case")
	flag.IntVar(&o.waiting, "waiting", 100_000, "with -fair: what the flooded functions have pending, all together")
	flag.Usage = usageText
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	return o
}

func usageText() {
	fmt.Fprint(flag.CommandLine.Output(), "Usage: make bench ARGS='[flags]'\n\nMeasures the queue-worker beside a bare loop and the Community worker, and prints one table with\nevery figure beside its goal. The machine should have nothing else to do.\n\nRows:\n")
	for _, r := range rows() {
		fmt.Fprintf(flag.CommandLine.Output(), "  %-10s %s\n", r.name, r.about)
	}
	fmt.Fprint(flag.CommandLine.Output(), "\nExamples:\n  make bench                                  everything, at most 60 minutes; writes docs/performance.md\n  make bench ARGS=-quick                      at most 5 minutes\n  make bench ARGS='-only backlog -rounds 3'   backlog and CPU alone\n  make bench ARGS='-only backlog -other /tmp/queue-worker'   beside another build\n\nFlags:\n")
	flag.PrintDefaults()
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (o options) check() error {
	if o.rounds < 0 || o.messages < 1000 || o.body < 0 || o.inflight < 1 || o.window < 1 {
		return errors.New("-rounds and -body must not be negative, -messages not below 1000, -inflight and -window not below 1")
	}
	if o.every <= 0 || o.lasting < o.every || o.waiting < 1000 {
		return errors.New("-every must be positive, -for not below -every, -waiting not below 1000")
	}
	return nil
}

func run(ctx context.Context, o options) (err error) {
	some, err := chosen(o.only)
	if err := errors.Join(o.check(), err); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(o.dir, "data-")
	if err != nil {
		return err
	}
	if tmp, err = filepath.Abs(tmp); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	b := &bench{options: o, dir: tmp, table: newTable(), begun: time.Now(), rates: results{}}
	b.progress("building")
	if b.programs, err = buildAll(ctx, tmp, o); err != nil {
		return err
	}
	if o.fair || o.pace {
		return b.compare(ctx)
	}
	if o.only != "" {
		b.table = b.table.of(some)
	}
	err = b.measureAll(ctx, some)
	return errors.Join(err, b.report(ctx))
}

// report prints the table, and writes the page when everything was asked for.
func (b *bench) report(ctx context.Context) error {
	fmt.Printf("\n%s\n\n", machine(b.dir))
	if err := b.table.print(os.Stdout); err != nil {
		return err
	}
	if len(b.profiles.names) > 0 {
		fmt.Println()
		if err := b.profiles.print(os.Stdout); err != nil {
			return err
		}
	}
	out, command := b.out, "make bench"
	if args := strings.Join(os.Args[1:], " "); args != "" {
		command += fmt.Sprintf(" ARGS='%s'", args)
	}
	if out == "" && !b.quick && b.only == "" {
		out = filepath.Join("..", "docs", "performance.md")
	}
	if out == "" || ctx.Err() != nil {
		return nil
	}
	return os.WriteFile(out, []byte(b.page(command)), 0o644)
}

// compare makes the measurements of -fair and -pace, beside the Community worker.
func (b *bench) compare(ctx context.Context) (err error) {
	if b.fair {
		err = b.measureFair(ctx)
	}
	if b.pace && err == nil {
		err = b.measurePace(ctx)
	}
	return err
}
