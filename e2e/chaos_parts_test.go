package e2e

// The two ends of a chaos run: a function that fails as its plan says, and a
// producer that continues whatever happens to NATS Streaming.

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/stan.go"
)

// plan is what the function does with one invocation.
type plan struct {
	failures int // attempts that fail; more than the limit: all
	delay    time.Duration
}

// planOf is the plan of the n-th message: a third fail once or twice, one in a
// hundred always.
func planOf(seed uint64, n int) plan {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	p := plan{delay: time.Duration(r.IntN(20)) * time.Millisecond}
	switch dice := r.IntN(300); {
	case dice < 3:
		p.failures = chaosLimit + 1
	case dice < 100:
		p.failures = 1 + r.IntN(2)
	}
	return p
}

func (p plan) dies() bool { return p.failures > chaosLimit }

// The call id of the n-th message, and back.
func chaosID(n int) string { return "chaos-" + strconv.Itoa(n) }

func chaosNumber(id string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(id, "chaos-"))
	if err != nil {
		return -1
	}
	return n
}

// chaosFunction is the gateway and the function behind it. Each life of the worker
// is given a gateway of its own, /life/<n>, so that its calls can be recognised.
type chaosFunction struct {
	t      testing.TB
	seed   uint64
	ledger *ledger
}

func (f *chaosFunction) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/system/function/chaos") {
		_, _ = io.WriteString(w, "{}")
		return
	}
	var m made
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the worker died while it was sending
	}
	id := r.Header.Get("X-Call-Id")
	_, err1 := fmt.Sscanf(r.URL.Path, "/life/%d/function/chaos/", &m.Life)
	_, err2 := fmt.Sscanf(r.Header.Get("X-Retry"), "%d", &m.Retry)
	if err := errors.Join(err1, err2); err != nil || string(body) != "body of "+id {
		f.t.Errorf("a call of %s with X-Retry %q and the body %q", r.URL.Path, r.Header.Get("X-Retry"), body)
	}
	m.At = time.Now().Round(0)
	call := f.ledger.begin(id, m)
	p := planOf(f.seed, chaosNumber(id))
	if wait(r.Context(), answer{Delay: p.delay}) {
		return
	}
	ok := m.Retry >= p.failures
	f.ledger.end(call, time.Now().Round(0), ok)
	if !ok {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// producer publishes until enough is confirmed. What could not be confirmed is not
// published again, so that nothing is there twice by its doing.
type producer struct {
	url    string
	seed   uint64
	ledger *ledger

	mu   sync.Mutex
	conn stan.Conn     // nil while there is none
	lost chan struct{} // closed when conn is
}

const (
	producers = 8
	// chaosWindow bounds what is confirmed and not called yet, so that messages
	// come as long as the run lasts.
	chaosWindow = 200
	pubAckWait  = 5 * time.Second
)

// run publishes until n messages are confirmed or stop is closed.
func (p *producer) run(n int, stop <-chan struct{}) {
	var next, acked int
	var mu sync.Mutex
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if acked >= n {
			return 0, false
		}
		next++
		return next, true
	}
	var all sync.WaitGroup
	for range producers {
		all.Go(func() {
			for {
				p.await(stop)
				i, more := take()
				if !more || isClosed(stop) {
					return
				}
				if p.publish(i) == nil {
					mu.Lock()
					acked++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil {
		_ = p.conn.Close()
	}
}

// await waits while the window is full.
func (p *producer) await(stop <-chan struct{}) {
	for !isClosed(stop) {
		if _, waiting := p.ledger.progress(); waiting < chaosWindow {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

var errUnconfirmed = errors.New("not confirmed")

// publish publishes the n-th message and returns nil when it is confirmed.
func (p *producer) publish(n int) error {
	id := chaosID(n)
	raw := fmt.Sprintf(`{"Header":{"X-Call-Id":[%q]},"Body":%q,"Method":"POST","Function":"chaos"}`, id, encode64("body of "+id))
	conn, lost, err := p.connect()
	if err != nil {
		time.Sleep(20 * time.Millisecond) // no worker is there
		return err
	}
	p.ledger.attempt(id)
	answer := make(chan error, 1)
	if _, err := conn.PublishAsync(defaultQueue, []byte(raw), func(_ string, err error) { answer <- err }); err != nil {
		return err
	}
	select {
	case err = <-answer:
	case <-lost:
		err = errUnconfirmed
	}
	if err == nil {
		p.ledger.ack(id)
	}
	return err
}

func (p *producer) connect() (stan.Conn, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil && !isClosed(p.lost) {
		return p.conn, p.lost, nil
	}
	if p.conn != nil {
		_ = p.conn.Close()
		p.conn = nil
	}
	lost, once := make(chan struct{}), sync.Once{}
	lose := func() { once.Do(func() { close(lost) }) }
	conn, err := stan.Connect(defaultCluster, clientID(), stan.NatsURL(p.url), stan.PubAckWait(pubAckWait),
		stan.ConnectWait(2*time.Second), stan.Pings(1, 3),
		stan.NatsOptions(nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { lose() })),
		stan.SetConnectionLostHandler(func(stan.Conn, error) { lose() }))
	if err != nil {
		return nil, nil, err
	}
	p.conn, p.lost = conn, lost
	return conn, lost, nil
}
