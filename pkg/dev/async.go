// The way of an asynchronous call: from the request to a QueueRequest on NATS
// Streaming, as the gateway of OpenFaaS does it.

package dev

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/stan.go"
	"github.com/openfaas/faas-provider/types"
	"github.com/openfaas/nats-queue-worker/handler"
	"golang.org/x/sync/singleflight"

	"queue-worker/pkg/invocation"
)

// Limits of taking an asynchronous call.
const (
	// maxAsyncBody bounds what is read into memory. It lies far above the
	// 256,000 bytes that the publishing library takes, so that the refusal of
	// anything sensible is the library's own and shows the size.
	maxAsyncBody = 16 << 20
	asyncRead    = 30 * time.Second
)

var dialer = net.Dialer{Timeout: dialTimeout}

// Queue is where invocations are published.
type Queue struct {
	Address string
	Port    int
	Cluster string
	Channel string
}

// enqueue publishes a call and answers 202, or says why it cannot. Whether the
// function exists is not asked: the gateway of the Community Edition does not.
func (g *gateway) enqueue(w http.ResponseWriter, r *http.Request, name string, rest *url.URL) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "an asynchronous call is a POST", http.StatusMethodNotAllowed)
		return
	}
	callback, err := callbackURL(r.Header)
	if err != nil {
		http.Error(w, "X-Callback-Url is not a URL", http.StatusBadRequest)
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(asyncRead)) // every server connection can
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAsyncBody))
	if err != nil {
		status := http.StatusBadRequest
		if errors.As(err, new(*http.MaxBytesError)) {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "read the request's body: "+err.Error(), status)
		return
	}
	err = g.publish(&types.QueueRequest{
		Header:      r.Header,
		Host:        r.Host,
		Body:        body,
		Method:      r.Method,
		Path:        rest.Path,
		QueryString: r.URL.RawQuery,
		Function:    name,
		CallbackURL: callback,
	})
	if err != nil {
		http.Error(w, "Error queuing request: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func callbackURL(h http.Header) (*url.URL, error) {
	raw := h.Get(invocation.HeaderCallbackURL)
	if raw == "" {
		return nil, nil
	}
	return url.Parse(raw)
}

// publisher publishes through nats-queue-worker's handler, which connects when
// it is made and cannot be closed. So it is made by the first publish, and made
// again when its connection is closed.
//
// A pause of NATS Streaming is survived on two levels. While the listener
// is away the library's NATS connection reconnects for ever, and publishing
// fails at once. When the server no longer knows the client, the next ping (5 s)
// closes the connection, and the publish after that makes a new one.
type publisher struct {
	queue      Queue
	connecting singleflight.Group

	mu   sync.Mutex
	open *handler.NATSQueue // nil: not connected yet, or no longer
}

func newPublisher(q Queue) *publisher { return &publisher{queue: q} }

// publish returns when NATS Streaming has confirmed the request. An error does
// not mean that it was not published: a confirmation can be lost.
func (p *publisher) publish(r *types.QueueRequest) error {
	q, err := p.connected()
	if err != nil {
		return err
	}
	err = q.Queue(r)
	if errors.Is(err, stan.ErrConnectionClosed) || errors.Is(err, nats.ErrConnectionClosed) {
		p.forget(q)
	}
	return err
}

// connected is the open queue. Callers that come while it is being opened share
// one attempt, which takes four seconds at most.
func (p *publisher) connected() (*handler.NATSQueue, error) {
	p.mu.Lock()
	q := p.open
	p.mu.Unlock()
	if q != nil {
		return q, nil
	}
	v, err, _ := p.connecting.Do("", func() (any, error) {
		// No reconnecting by the handler: its loop would continue after Close and
		// could not be ended. Forgetting the queue does the same.
		q, err := handler.CreateNATSQueue(p.queue.Address, p.queue.Port, p.queue.Cluster, p.queue.Channel,
			handler.NewDefaultNATSConfig(0, 0))
		if err != nil {
			return nil, err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.open = q
		return q, nil
	})
	if err != nil {
		return nil, err
	}
	q, _ = v.(*handler.NATSQueue)
	return q, nil
}

func (p *publisher) forget(q *handler.NATSQueue) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == q {
		p.open = nil
	}
}
