package e2e

// Publishing: as the gateway does it, with its own library, or byte for byte.

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/stan.go"
	"github.com/openfaas/faas-provider/types"
	"github.com/openfaas/nats-queue-worker/handler"
)

// message is what a gateway publishes.
type message = types.QueueRequest

// call is a message for `curl gateway:8080/async-function/<function> -d <body>`.
func call(function, body string, edits ...func(*message)) *message {
	m := &message{
		Header: http.Header{
			"Accept":         {"*/*"},
			"Content-Length": {strconv.Itoa(len(body))},
			"Content-Type":   {"application/x-www-form-urlencoded"},
			"User-Agent":     {"curl/7.88.1"},
			"X-Call-Id":      {uuid.NewString()},
			"X-Start-Time":   {strconv.FormatInt(time.Now().UnixNano(), 10)},
		},
		Host: "localhost:8080", Body: []byte(body), Method: http.MethodPost, Function: function,
	}
	for _, edit := range edits {
		edit(m)
	}
	return m
}

// with adds a header field to a call.
func with(name string, values ...string) func(*message) {
	return func(m *message) { m.Header[name] = values }
}

// annotated gives a call the annotations of its function.
func annotated(pairs ...string) func(*message) {
	return func(m *message) {
		m.Annotations = map[string]string{}
		for i := 0; i+1 < len(pairs); i += 2 {
			m.Annotations[pairs[i]] = pairs[i+1]
		}
	}
}

func id(m *message) string { return m.Header.Get("X-Call-Id") }

// clients counts the clients of NATS Streaming, whose ids have to differ.
var clients atomic.Int64

func clientID() string { return "e2e-" + strconv.FormatInt(clients.Add(1), 10) }

// gatewayConfig tells the gateway's library which client it is.
type gatewayConfig struct {
	handler.DefaultNATSConfig
	id string
}

func (c gatewayConfig) GetClientID() string { return c.id }

// publish publishes calls as the gateway does. It returns when NATS Streaming has
// confirmed all of them.
func (b *broker) publish(t testing.TB, calls ...*message) {
	t.Helper()
	for _, m := range calls {
		if err := b.try(m); err != nil {
			t.Fatalf("publish: %v, want no error", err)
		}
	}
}

// try publishes one call and tells what the gateway would answer.
func (b *broker) try(m *message) error {
	if b.publisher == nil {
		q, err := handler.CreateNATSQueue("127.0.0.1", b.port, defaultCluster, defaultQueue,
			gatewayConfig{handler.NewDefaultNATSConfig(0, 0), clientID()})
		if err != nil {
			return err
		}
		b.publisher = q
	}
	return b.publisher.Queue(m)
}

// publishRaw publishes bytes to the default queue.
func (b *broker) publishRaw(t testing.TB, messages ...string) {
	t.Helper()
	c, err := stan.Connect(defaultCluster, clientID(), stan.NatsURL(b.url()))
	if err != nil {
		t.Fatalf("connect to NATS Streaming: %v, want no error", err)
	}
	for _, m := range messages {
		if err := c.Publish(defaultQueue, []byte(m)); err != nil {
			t.Fatalf("publish: %v, want no error", err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatalf("close the connection to NATS Streaming: %v, want no error", err)
	}
}

// encode is a call as it stands in the queue.
func encode(t testing.TB, m *message) string {
	t.Helper()
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func encode64(body string) string { return base64.StdEncoding.EncodeToString([]byte(body)) }
