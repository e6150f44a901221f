// File attribute.go has names and attributes of spans: the semantic conventions where they
// exist, our own otherwise.

package trace

import (
	"net"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"queue-worker/pkg/invocation"
)

// Attributes that no convention has.
const (
	keyRetry   = attribute.Key("queue_worker.retry")   // retries so far, this attempt included
	keyCause   = attribute.Key("queue_worker.cause")   // why there was no answer
	keyOutcome = attribute.Key("queue_worker.outcome") // done, retry, dead, discarded, cancelled
	keyDue     = attribute.Key("queue_worker.due")     // when a retry falls due, RFC 3339
	keyReason  = attribute.Key("queue_worker.reason")  // why it was given up
	keySource  = attribute.Key("queue_worker.source")  // how it came in
)

// system is what stands for the kind of queue.
const system = "openfaas"

// callName is the name of an attempt's span.
func callName(inv *invocation.Invocation) string {
	switch {
	case inv.Source() == invocation.SourceProducer:
		return "post"
	case inv.Kind == invocation.KindCallback:
		return named("callback", inv)
	}
	return named("invoke", inv)
}

func named(what string, inv *invocation.Invocation) string {
	if inv.Source() == invocation.SourceProducer || inv.Function == "" {
		return what
	}
	return what + " " + clip(inv.Function)
}

// identity says whose span it is.
func identity(inv *invocation.Invocation) []attribute.KeyValue {
	s := make([]attribute.KeyValue, 0, 16) // room for what an attempt adds
	s = append(s,
		semconv.MessagingSystemKey.String(system), semconv.MessagingDestinationName(clip(inv.Lane.Queue)),
		semconv.MessagingMessageID(inv.ID.String()), keySource.String(inv.Source().String()))
	if inv.CallID != "" {
		s = append(s, semconv.MessagingMessageConversationID(clip(inv.CallID)))
	}
	if inv.Function != "" {
		s = append(s, semconv.FaaSInvokedName(clip(inv.Function)))
	}
	return s
}

// callAttributes are known when a call begins.
func callAttributes(inv *invocation.Invocation) []attribute.KeyValue {
	s := append(identity(inv), semconv.HTTPRequestMethodKey.String(http.MethodPost), keyRetry.Int(inv.Retries))
	if inv.Retries > 0 {
		s = append(s, semconv.HTTPRequestResendCount(inv.Retries))
	}
	if inv.Kind != invocation.KindCallback {
		return s
	}
	// The lane has nothing of the URL but where it leads.
	host, port, err := net.SplitHostPort(strings.TrimPrefix(inv.Lane.Name, invocation.CallbackLanePrefix))
	if err != nil {
		return s
	}
	s = append(s, semconv.ServerAddress(clip(host)))
	if n, err := strconv.Atoi(port); err == nil {
		s = append(s, semconv.ServerPort(n))
	}
	return s
}

// maxText bounds a text of a span, in bytes.
const maxText = 256

// clip makes a text fit for a span: short, and without what cannot be written.
func clip(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "")
}
