// File fair.go measures how long a quiet function waits from publishing to its call: alone, beside
// functions with a standing backlog, and beside slow ones.

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/nats-io/stan.go"
)

// beside is what the quiet function has beside it.
type beside struct {
	name      string
	kind      string // of the other functions
	functions int
	waiting   int  // all together
	community bool // whether the Community worker is measured too
}

// slowWaiting is what the slow function has waiting.
const slowWaiting = 1000

// silentHosts is how many hosts accept a callback and never answer it.
const silentHosts = 1000

// silentHost is the address of the i-th of them.
func silentHost(i int) string { return fmt.Sprintf("127.1.%d.%d", i/250, i%250+1) }

// alone is the case in which the quiet function has no other beside it.
const alone = "no other"

// cases are what is measured. The idle worker comes first and last, so that
// what the machine does meanwhile shows in it.
func (b *bench) cases() []beside {
	// Of the idle one's function there is one call, which shows that the worker is there.
	idle := beside{alone, "first", 1, 1, true}
	all := []beside{idle}
	for _, n := range []int{1, 10, 100, 1000} {
		all = append(all, flooded(n, b.waiting))
	}
	silent := beside{"1,000 silent callback hosts", "caller", 1, silentHosts, false}
	return append(all, beside{"calls of 60 s", "slow", 1, slowWaiting, true}, silent, idle)
}

// flooded is a case in which n functions have messages pending.
func flooded(n, messages int) beside {
	return beside{fmt.Sprintf("%d flooded", n), "flooded", n, messages, n == 1}
}

// message is the i-th message of the others. Silent hosts listen on one port.
func (b beside) message(i, body int, port string) ([]byte, error) {
	if b.kind == "caller" {
		return messageWith("http://"+net.JoinHostPort(silentHost(i), port), "caller", runName, int64(i), body)
	}
	return message(fmt.Sprintf("%s-%d", b.kind, i%b.functions), runName, int64(i/b.functions), body)
}

// waits are those of one program in one case, sorted, in nanoseconds; a message that was not called at all
// has waited for ever.
type waits []float64

func (b *bench) measureFair(ctx context.Context) error {
	all, programs := b.cases(), []program{b.ours, b.community}
	got := map[string]byCase{nameOurs: {}, nameCommunity: {}}
	for _, c := range all {
		for _, p := range programs {
			if p.name != nameOurs && !c.community {
				continue
			}
			w, err := b.quietBeside(ctx, p, c)
			if err != nil {
				return fmt.Errorf("%s beside %s: %w", p.name, c.name, err)
			}
			got[p.name][c.name] = append(got[p.name][c.name], w...)
			slices.Sort(got[p.name][c.name])
		}
	}
	fmt.Printf("\nHow long a quiet function waits from publishing to its call, one each %s for %s; %d calls at a time; flooded ones take 0.1 to 1 ms\nand have %d pending together, the slow one has %d; %d CPUs, everything on them, %s\n\n",
		b.every, b.lasting, b.inflight, b.waiting, slowWaiting, runtime.NumCPU(), runtime.Version())
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "worker\tbeside\tcalls\tp50\tp99\tp99 of idle\tnever called\t")
	for _, p := range programs {
		for _, c := range all[:len(all)-1] {
			got[p.name].row(t, p.name, c.name, b.lasting)
		}
	}
	return t.Flush()
}

// row prints what one program made of one case, when it was measured.
func (got byCase) row(t *tabwriter.Writer, program, name string, window time.Duration) {
	w := got[name]
	if len(w) == 0 {
		return
	}
	never := 0
	for _, d := range w {
		if math.IsInf(d, 1) {
			never++
		}
	}
	p99, idle := quantile(w, 0.99), quantile(got[alone], 0.99)
	ratio := fmt.Sprintf("%.2f", p99/idle)
	if math.IsInf(p99, 1) {
		ratio = fmt.Sprintf("> %.0f", float64(window)/idle)
	}
	fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\t%d\t\n", program, name, len(w), shownWait(quantile(w, 0.5), window), shownWait(p99, window), ratio, never)
}

type byCase map[string]waits

func shownWait(d float64, window time.Duration) string {
	if math.IsInf(d, 1) {
		return "> " + window.String()
	}
	return time.Duration(d).Round(10 * time.Microsecond).String()
}

// quietBeside measures one case.
func (b *bench) quietBeside(ctx context.Context, p program, c beside) (waits, error) {
	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	defer cancel()
	t, err := b.newTrial(ctx, p, []string{"callback_allow=127.0.0.0/8"}, c.waiting, func(i int, port string) ([]byte, error) { return c.message(i, b.body, port) })
	if err != nil {
		return nil, err
	}
	defer t.close()
	if p.name == nameOurs {
		if err := t.accepted(ctx, c.waiting); err != nil {
			return nil, fmt.Errorf("wait until all are accepted: %w", err)
		}
	}
	if err := ask(ctx, t.crowd.port, http.MethodPost, "/open", nil); err != nil {
		return nil, err
	}
	if err := t.wait(ctx, time.Second); err != nil { // it has its full load by then
		return nil, err
	}
	published, err := b.publishQuiet(ctx, t)
	if err != nil {
		return nil, err
	}
	return b.waited(ctx, t, p, c, published)
}

// publishQuiet publishes one message after the other.
func (b *bench) publishQuiet(ctx context.Context, t *trial) (n int, err error) {
	c, err := stan.Connect(cluster, "bench-quiet", stan.NatsURL("nats://127.0.0.1:"+t.broker.port))
	if err != nil {
		return 0, err
	}
	tick := time.NewTicker(b.every)
	defer tick.Stop()
	for n = range int(b.lasting / b.every) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return n, context.Cause(ctx)
		}
		m, err := message("quiet", runName, time.Now().UnixNano(), b.body)
		if err != nil {
			return n, err
		}
		if _, err := c.PublishAsync(channel, m, nil); err != nil {
			return n, err
		}
	}
	return n + 1, c.Close()
}

// waited returns the waits of all that was published, once the last may have come.
func (b *bench) waited(ctx context.Context, t *trial, p program, c beside, published int) (waits, error) {
	got, err := t.noted(ctx)
	for range 20 {
		if err != nil || len(got.Waits) == published {
			break
		}
		if err = t.wait(ctx, 100*time.Millisecond); err == nil {
			got, err = t.noted(ctx)
		}
	}
	if err != nil {
		return nil, err
	}
	b.progress("%s beside %s: %d of %d called, %d calls of others", p.name, c.name, len(got.Waits), published, got.Others)
	if c.kind == "flooded" && c.waiting-got.Others < c.functions {
		return nil, errors.New("the others have nothing pending any more: ask for more with -waiting")
	}
	w := make(waits, published)
	for i := range w {
		w[i] = math.Inf(1)
		if i < len(got.Waits) {
			w[i] = float64(got.Waits[i])
		}
	}
	slices.Sort(w)
	return w, nil
}
