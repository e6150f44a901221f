// What a quiet function waits, from publishing to its call: beside nobody, beside
// functions with a standing backlog, and beside a slow one.

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

// cases are what is measured. The idle worker comes first and last, so that
// what the machine does meanwhile shows in it.
func cases(o options) []beside {
	// Of the idle one's function there is one call, which shows that the worker is there.
	idle := beside{"nobody", "first", 1, 1, true}
	all := []beside{idle}
	for _, n := range []int{1, 10, 100, 1000} {
		all = append(all, beside{fmt.Sprintf("%d flooded", n), "flooded", n, o.waiting, n == 1})
	}
	silent := beside{"1,000 silent callback hosts", "caller", 1, silentHosts, false}
	return append(all, beside{"calls of 60 s", "slow", 1, slowWaiting, true}, silent, idle)
}

// message is the i-th message of the others. Silent hosts listen on one port.
func (b beside) message(i, body int, port string) ([]byte, error) {
	if b.kind == "caller" {
		return messageWith("http://"+net.JoinHostPort(silentHost(i), port), "caller", onlyRun, int64(i), body)
	}
	return message(fmt.Sprintf("%s-%d", b.kind, i%b.functions), onlyRun, int64(i/b.functions), body)
}

// waits are those of one program in one case, in nanoseconds; what was not called
// at all has waited for ever.
type waits []float64

func fair(ctx context.Context, tmp string, o options, programs []program) error {
	got := map[string]byCase{}
	all := cases(o)
	for _, p := range programs {
		got[p.name] = byCase{}
	}
	for _, b := range all {
		for _, p := range programs {
			if p.name != "ours" && !b.community {
				continue
			}
			w, err := quiet(ctx, tmp, o, p, b)
			if err != nil {
				return fmt.Errorf("%s beside %s: %w", p.name, b.name, err)
			}
			got[p.name][b.name] = append(got[p.name][b.name], w...)
			slices.Sort(got[p.name][b.name])
		}
	}
	fmt.Printf("\nWhat a quiet function waits from publishing to its call, one each %s for %s; %d calls at a time; flooded ones take 0.1 to 1 ms\nand have %d waiting together, the slow one has %d; %d CPUs, everything on them, %s\n\n",
		o.every, o.lasting, o.inflight, o.waiting, slowWaiting, runtime.NumCPU(), runtime.Version())
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "worker\tbeside\tcalls\tp50\tp99\tp99 of idle\tnever called\t")
	for _, p := range programs {
		for _, b := range all[:len(all)-1] {
			got[p.name].row(t, p.name, b.name, o.lasting)
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
	p99, idle := w.quantile(0.99), got["nobody"].quantile(0.99)
	ratio := fmt.Sprintf("%.2f", p99/idle)
	if math.IsInf(p99, 1) {
		ratio = fmt.Sprintf("> %.0f", float64(window)/idle)
	}
	fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\t%d\t\n", program, name, len(w), shown(w.quantile(0.5), window), shown(p99, window), ratio, never)
}

type byCase map[string]waits

// quantile is the least wait that a share q of all does not exceed.
func (w waits) quantile(q float64) float64 { return w[max(int(math.Ceil(q*float64(len(w))))-1, 0)] }

func shown(d float64, window time.Duration) string {
	if math.IsInf(d, 1) {
		return "> " + window.String()
	}
	return time.Duration(d).Round(10 * time.Microsecond).String()
}

// quiet measures one case.
func quiet(ctx context.Context, tmp string, o options, p program, b beside) (waits, error) {
	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	defer cancel()
	t, err := begin(ctx, o, tmp, p, []string{"callback_allow=127.0.0.0/8"}, b.waiting, func(i int, port string) ([]byte, error) { return b.message(i, o.body, port) })
	if err != nil {
		return nil, err
	}
	defer t.close()
	if p.name == "ours" {
		if err := t.accepted(ctx, b.waiting); err != nil {
			return nil, fmt.Errorf("wait until all is taken in: %w", err)
		}
	}
	if err := ask(ctx, t.crowd.says, http.MethodPost, "/open", nil); err != nil {
		return nil, err
	}
	if err := t.rest(ctx, time.Second); err != nil { // it is under full load by then
		return nil, err
	}
	published, err := t.publishQuiet(ctx, o)
	if err != nil {
		return nil, err
	}
	return t.waited(ctx, p, b, published)
}

// publishQuiet publishes one message after the other.
func (t *trial) publishQuiet(ctx context.Context, o options) (n int, err error) {
	c, err := stan.Connect(cluster, "bench-quiet", stan.NatsURL("nats://127.0.0.1:"+t.broker.says))
	if err != nil {
		return 0, err
	}
	tick := time.NewTicker(o.every)
	defer tick.Stop()
	for n = range int(o.lasting / o.every) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return n, context.Cause(ctx)
		}
		m, err := message("quiet", onlyRun, time.Now().UnixNano(), o.body)
		if err != nil {
			return n, err
		}
		if _, err := c.PublishAsync(channel, m, nil); err != nil {
			return n, err
		}
	}
	return n + 1, c.Close()
}

// waited tells what all waited that was published, once the last may have come.
func (t *trial) waited(ctx context.Context, p program, b beside, published int) (waits, error) {
	got, err := t.noted(ctx)
	for range 20 {
		if err != nil || len(got.Waits) == published {
			break
		}
		if err = t.rest(ctx, 100*time.Millisecond); err == nil {
			got, err = t.noted(ctx)
		}
	}
	if err != nil {
		return nil, err
	}
	fmt.Printf("%-9s  beside %-27s  %d of %d called, %d calls of others\n", p.name, b.name, len(got.Waits), published, got.Others)
	if b.kind == "flooded" && b.waiting-got.Others < b.functions {
		return nil, errors.New("the others have nothing waiting any more: ask for more with -waiting")
	}
	w := make(waits, published)
	for i := range w {
		w[i] = math.Inf(1)
		if i < len(got.Waits) {
			w[i] = float64(got.Waits[i])
		}
	}
	return w, nil
}
