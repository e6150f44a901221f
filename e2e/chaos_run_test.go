package e2e

// One chaos run: the kills, the end, and the judgement.

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// strike is something that happens to a run.
type strike struct {
	after int           // calls
	pause time.Duration // then
	what  func(*chaosRun)
}

// life is one worker of a run.
type life struct {
	*worker
	held counts // what was in its store when it opened it
}

type chaosRun struct {
	chaos
	t       *testing.T
	random  *rand.Rand
	seed    uint64
	stand   *stand
	ledger  *ledger
	gateway *httptest.Server
	lives   []*life
	drained map[int]bool // lives that ended by themselves, by number
	brokers []*process
	begun   time.Time
	said    time.Time
	strikes [2]int // that were carried out, and planned
}

// run plays a run through. Nothing may be wrong with it.
func (c chaos) run(t *testing.T) {
	t.Helper()
	if v := c.play(t); len(v.wrong) > 0 {
		t.Errorf("the ledger does not hold:\n%s, want no wrong", v)
	}
}

// play plays a run through and returns the ledger's findings.
func (c chaos) play(t *testing.T) *findings {
	t.Helper()
	r := &chaosRun{chaos: c, t: t, seed: seedOf(t), ledger: newLedger(), drained: map[int]bool{}, begun: time.Now()}
	if r.stillness == 0 {
		r.stillness = 15 * time.Second
	}
	r.random = rand.New(rand.NewPCG(r.seed, 0))
	t.Cleanup(r.save)
	t.Cleanup(func() { r.say(map[bool]string{true: "FAIL", false: "PASS"}[t.Failed()]) })
	r.gateway = httptest.NewServer(&chaosFunction{t: t, seed: r.seed, ledger: r.ledger})
	t.Cleanup(r.gateway.Close)
	r.setUp()

	stop, done := make(chan struct{}), make(chan struct{})
	p := &producer{url: r.stand.broker.url(), seed: r.seed, ledger: r.ledger}
	go func() { defer close(done); p.run(c.messages, stop) }()
	defer func() { <-done }()
	defer close(stop)
	r.strikeAll()
	r.awaitThat("all messages to be published", func() bool { return isClosed(done) })
	return r.conclude()
}

// setUp starts NATS Streaming and the first worker.
func (r *chaosRun) setUp() {
	r.t.Helper()
	settings := append([]string{
		"max_inflight=" + strconv.Itoa(chaosInflight), "max_retry_attempts=" + strconv.Itoa(chaosLimit),
		"initial_retry_wait=" + chaosWait.String(), "max_retry_wait=" + chaosMaxWait.String(),
	}, r.settings...)
	if r.embedded {
		b := &broker{port: freePort(r.t)}
		settings = append(settings, "stan_embedded=true", "stan_listen_address=127.0.0.1:"+strconv.Itoa(b.port))
		r.stand = newStandOn(r.t, b, settings...)
	} else {
		r.stand = newStand(r.t, settings...)
		r.muteBroker()
	}
	r.begin("")
}

// isDurable reports whether the workers have a data_dir.
func (r *chaosRun) isDurable() bool { return !slices.Contains(r.settings, "data_dir=") }

// begin starts the next life of the worker. With a point it ends there.
func (r *chaosRun) begin(point string) {
	r.t.Helper()
	binary, settings := plainBinary, []string{fmt.Sprintf("gateway_url=%s/life/%d", r.gateway.URL, len(r.lives)+1)}
	if point != "" {
		binary, settings = crashingBinary, append(settings, "QUEUE_WORKER_CRASH="+point)
	}
	w := startWorker(r.t, binary, append(r.stand.env[:len(r.stand.env):len(r.stand.env)], settings...))
	w.mute()
	open := w.event(r.t, "its store", func(e entry) bool { return e.message() == "store open" })
	number := func(key string) float64 { f, _ := open[key].(float64); return f }
	r.lives = append(r.lives, &life{worker: w, held: counts{ready: number("ready"), delayed: number("delayed"), dead: number("dead")}})
}

func (r *chaosRun) now() *life { return r.lives[len(r.lives)-1] }

func (r *chaosRun) muteBroker() {
	r.stand.broker.mute()
	r.brokers = append(r.brokers, r.stand.broker.process)
}

// plan spreads the strikes over the calls that a run has at least.
func (r *chaosRun) plan() []strike {
	var all []strike
	add := func(n int, what func(*chaosRun)) {
		for range n {
			all = append(all, strike{
				after: r.messages/50 + r.random.IntN(r.messages), what: what,
				pause: time.Duration(r.random.IntN(20_000)) * time.Microsecond,
			})
		}
	}
	add(r.workerKills, (*chaosRun).killWorker)
	add(r.drains, (*chaosRun).drainWorker)
	for _, point := range r.points {
		for range r.crashes {
			at := point + ":" + strconv.Itoa(1+r.random.IntN(60))
			add(1, func(r *chaosRun) { r.crashWorker(at) })
		}
	}
	add(r.brokerKills, (*chaosRun).killBroker)
	add(r.freezes, (*chaosRun).freezeBroker)
	slices.SortStableFunc(all, func(a, b strike) int { return a.after - b.after })
	return all
}

func (r *chaosRun) strikeAll() {
	r.t.Helper()
	plan := r.plan()
	r.strikes[1] = len(plan)
	for _, s := range plan {
		if d := r.strikeTime(); d > 0 && time.Since(r.begun) > d {
			r.t.Logf("the budget is used up: %d of %d strikes", r.strikes[0], r.strikes[1])
			return
		}
		r.awaitThat(fmt.Sprintf("call %d", s.after), func() bool { begun, _ := r.ledger.progress(); return begun >= s.after })
		time.Sleep(s.pause) // so that not every kill strikes when a call has just begun
		s.what(r)
		r.strikes[0]++
	}
}

// say prints how far a long run is.
func (r *chaosRun) say(state string) {
	r.said = time.Now()
	if !isLong() {
		return
	}
	begun, waiting := r.ledger.progress()
	fmt.Fprintf(os.Stderr, "chaos: %s, %s, %d of %d strikes, %d calls, %d messages not called yet, %s\n", r.t.Name(), state, r.strikes[0], r.strikes[1],
		begun, waiting, time.Since(r.begun).Round(time.Second))
}

// killWorker is kill -9.
func (r *chaosRun) killWorker() {
	r.t.Helper()
	r.now().kill()
	r.begin("")
}

// drainWorker ends a life in order, after which nothing may be called again.
func (r *chaosRun) drainWorker() {
	r.t.Helper()
	r.drain()
	r.begin("")
}

func (r *chaosRun) drain() {
	r.t.Helper()
	r.now().signal(r.t, syscall.SIGTERM)
	if code := r.now().exit(r.t); code != 0 {
		r.t.Errorf("worker %d ended with %d", len(r.lives), code)
	}
	r.drained[len(r.lives)] = true
}

// crashWorker lets a life begin that ends at a named point.
func (r *chaosRun) crashWorker(point string) {
	r.t.Helper()
	r.drain()
	r.begin(point)
	select {
	case <-r.now().over:
	case <-time.After(10 * time.Second): // it does not pass there often enough
	}
	r.killWorker()
}

func (r *chaosRun) killBroker() {
	r.t.Helper()
	r.stand.broker.restart(r.t)
	r.muteBroker()
}

func (r *chaosRun) freezeBroker() {
	r.t.Helper()
	r.stand.broker.signal(r.t, syscall.SIGSTOP)
	time.Sleep(time.Duration(r.random.IntN(6000)) * time.Millisecond)
	r.stand.broker.signal(r.t, syscall.SIGCONT)
}

// awaitThat waits as long as there is progress.
func (r *chaosRun) awaitThat(what string, is func() bool) {
	r.t.Helper()
	begun, since := 0, time.Now()
	for !is() {
		now, _ := r.ledger.progress()
		if now != begun {
			begun, since = now, time.Now()
		}
		if time.Since(r.said) > 10*time.Second {
			r.say("running")
		}
		if time.Since(since) > patience {
			r.t.Fatalf("the run stands still after %d calls, waiting for %s", now, what)
		}
		if w := r.now(); w.isOver() {
			r.t.Fatalf("worker %d ended by itself: %s\n%s", len(r.lives), w.cmd.ProcessState, w.out.tail(20))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// poisonLimit is how many crashes an invocation that was in flight may survive. One that
// was unlucky that often is dead for it.
const poisonLimit = 5

// conclude lets the last life bring everything to its end, and judges.
func (r *chaosRun) conclude() *findings {
	r.t.Helper()
	w := r.now()
	w.ready(r.t)
	c := r.awaitEnd(w)
	dead := map[string]bool{}
	for _, l := range w.deadSet(r.t) {
		dead[l.CallID] = true
		p, poison := planOf(r.seed, chaosNumber(l.CallID)), l.Reason == "poison" && l.Crashes >= poisonLimit
		if !poison && (!p.dies() || l.Reason != "attempts_exhausted") {
			r.t.Errorf("%s is dead as %s, its function fails %d times; crashes %d", l.CallID, l.Reason, p.failures, l.Crashes)
		}
	}
	r.checkCounts(w, c, len(dead))
	v := r.judge(dead)
	begun, _ := r.ledger.progress()
	r.t.Logf("%d messages confirmed, %d calls in %d lives, %d made again, %d dead", len(r.ledger.acked), begun, len(r.lives), v.duplicates, len(dead))
	r.drain()
	return v
}

// awaitEnd waits until every confirmed message has been called and nothing is
// pending, and returns the counts of then.
func (r *chaosRun) awaitEnd(w *life) (c counts) {
	r.t.Helper()
	quiet, since := 0, time.Now()
	r.awaitThat("the end of all invocations", func() bool {
		before, _ := r.ledger.progress()
		c = w.counts(r.t)
		after, waiting := r.ledger.progress()
		if quiet++; c.pending() > 0 || before != after {
			quiet, since = 0, time.Now()
		}
		return quiet >= 3 && (waiting == 0 || time.Since(since) > r.stillness)
	})
	return c
}

// judge asks the ledger. Without a data_dir the dead of earlier lives are gone;
// they were settled when all of their attempts had failed.
func (r *chaosRun) judge(dead map[string]bool) *findings {
	rules := chaosRules(r.isDurable())
	settled := maps.Clone(dead)
	if rules.durable {
		rules.drained = r.drained
	} else {
		for id, calls := range r.ledger.calls {
			if last := calls[len(calls)-1]; last.Retry == chaosLimit && !last.Done.IsZero() {
				settled[id] = true
			}
		}
	}
	return r.ledger.judge(rules, settled, nil)
}

// checkCounts checks that every accepted invocation is accounted for, by what the worker
// counts and by what the ledger has.
func (r *chaosRun) checkCounts(w *life, c counts, dead int) {
	r.t.Helper()
	in := c.accepted + w.held.ready + w.held.delayed + w.held.dead
	out := c.done + c.dropped + c.ready + c.delayed + c.dead
	if c.unaccounted != 0 || in != out {
		r.t.Errorf("%v came in or were there, %v went out or are there: %+v, at the start %+v", in, out, c, w.held)
	}
	ok := r.ledger.of(len(r.lives), func(m made) bool { return m.OK })
	if int(c.done) != ok || int(c.dead) != dead || c.dropped != 0 {
		r.t.Errorf("the ledger has %d done in the last life and %d dead; the worker counts %+v", ok, dead, c)
	}
	m := w.metrics(r.t)
	all := r.ledger.of(len(r.lives), func(made) bool { return true })
	if n := int(m.sum("queue_worker_attempts_total")); n != all {
		r.t.Errorf("the ledger has %d calls in the last life, the worker counts %d", all, n)
	}
	failed := r.ledger.of(len(r.lives), func(m made) bool { return !m.OK && m.Retry < chaosLimit })
	if n := int(m.sum("queue_worker_retries_total")); n != failed {
		r.t.Errorf("the ledger has %d failures with a retry left in the last life, the worker counts %d", failed, n)
	}
}

// save writes down everything about a run that has failed.
func (r *chaosRun) save() {
	if !r.t.Failed() {
		return
	}
	dir, err := os.MkdirTemp("", "queue-worker-chaos-")
	if err != nil {
		r.t.Log(err)
		return
	}
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			r.t.Log(err)
		}
	}
	for i, w := range r.lives {
		write(fmt.Sprintf("worker-%03d.log", i+1), w.out.String())
	}
	for i, b := range r.brokers {
		write(fmt.Sprintf("nats-%03d.log", i+1), b.out.String())
	}
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	var history strings.Builder
	for _, id := range slices.Sorted(maps.Keys(r.ledger.attempted)) {
		line, _ := json.Marshal(map[string]any{"id": id, "acked": r.ledger.acked[id], "plan": fmt.Sprintf("%+v", planOf(r.seed, chaosNumber(id))), "calls": r.ledger.calls[id]})
		history.Write(append(line, '\n'))
	}
	write("history.jsonl", history.String())
	r.t.Logf("logs and history are in %s", dir)
}
