// File upload.go sends spans by OTLP over HTTP, in place of the exporters of OpenTelemetry, which link
// gRPC: see docs/adr/0004-otlp-over-net-http.md.

package trace

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v4"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// Waits between two requests for the same spans: the first, doubled up to the
// longest, and the time after which the spans are given up.
const (
	firstWait   = 5 * time.Second
	longestWait = 30 * time.Second
	allWaits    = time.Minute
)

// idleTimeout is how long a connection is kept without a request.
const idleTimeout = 90 * time.Second

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 4 << 20

// client sends spans to one destination.
type client struct {
	destination
	protocol string
	http     *http.Client
}

var _ otlptrace.Client = (*client)(nil)

func newClient(d destination, protocol string) *client {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: d.tls, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: 1, // one batch is sent at a time
		IdleConnTimeout:     idleTimeout,
	}
	if protocol == protocolGRPC {
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP2(true)
		t.Protocols.SetUnencryptedHTTP2(true)
	}
	return &client{destination: d, protocol: protocol, http: &http.Client{Transport: t, Timeout: d.timeout}}
}

// Start implements otlptrace.Client. It connects to nothing yet.
func (c *client) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (c *client) Stop(context.Context) error {
	c.http.CloseIdleConnections()
	return nil
}

// UploadTraces implements otlptrace.Client: it sends spans until they are accepted,
// refused for good, or given up. Spans that the receiver rejects are an error.
func (c *client) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	body, err := c.encode(spans)
	if err != nil {
		return err
	}
	waits := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(firstWait), backoff.WithMaxInterval(longestWait), backoff.WithMaxElapsedTime(allWaits))
	for {
		err := c.send(ctx, body)
		again, retry := errors.AsType[*temporary](err)
		if !retry {
			return err
		}
		wait := waits.NextBackOff()
		if wait == backoff.Stop || waits.GetElapsedTime()+again.after > allWaits {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(max(wait, again.after)):
		}
	}
}

// temporary is an error after which the same request may be sent again.
type temporary struct {
	error
	after time.Duration // what the receiver asks for
}

// encode returns the body of a request for spans.
func (c *client) encode(spans []*tracepb.ResourceSpans) ([]byte, error) {
	message, err := marshal(spans, c.protocol == protocolJSON)
	if err != nil {
		return nil, fmt.Errorf("encode spans: %w", err)
	}
	if c.gzip {
		message = compress(message)
	}
	if c.protocol == protocolGRPC {
		message = frame(message, c.gzip)
	}
	return message, nil
}

func compress(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b) // a buffer takes everything
	_ = z.Close()
	return out.Bytes()
}

// send sends one request and reads the answer.
func (c *client) send(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	c.setHeader(req)
	resp, err := c.http.Do(req)
	if err != nil {
		return unsent(err, c.protocol)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if c.protocol == protocolGRPC {
		return checkCall(resp, answer)
	}
	return checkAnswer(resp, answer)
}

// unsent says whether a request without an answer is sent again: over gRPC always, as
// its library has it, else when it ran out of time.
func unsent(err error, protocol string) error {
	slow, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	if protocol == protocolGRPC || ok && slow.Timeout() {
		return &temporary{error: err}
	}
	return err
}

func (c *client) setHeader(req *http.Request) {
	req.Header = c.header.Clone()
	encoding := "Content-Encoding"
	switch c.protocol {
	case protocolGRPC:
		encoding = "Grpc-Encoding"
		req.Header.Set("Content-Type", "application/grpc")
		req.Header.Set("Te", "trailers")
	case protocolJSON:
		req.Header.Set("Content-Type", typeJSON)
	default:
		req.Header.Set("Content-Type", typeProto)
	}
	if c.gzip {
		req.Header.Set(encoding, "gzip")
	}
}

// mayRetry are the statuses after which the specification of OTLP allows a retry.
var mayRetry = []int{http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}

func checkAnswer(resp *http.Response, body []byte) error {
	if resp.StatusCode/100 == 2 {
		return checkRejected(body, resp.Header.Get("Content-Type"))
	}
	err := fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(body))
	if slices.Contains(mayRetry, resp.StatusCode) {
		return &temporary{error: err, after: retryAfter(resp.Header.Get("Retry-After"))}
	}
	return err
}

// retryAfter reads seconds or a date; 0 for none.
func retryAfter(value string) time.Duration {
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(n) * time.Second // #nosec G115 -- 31 bits
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
