// Package trace makes spans of OpenTelemetry: one for every attempt, one for its
// settlement, and one for each submission over HTTP. They are part of the caller's trace,
// over waits, restarts, replays and callbacks:
//
//	caller ---+--- attempt ---- the function's own spans
//	          |       +---- settle: retry
//	          +--- attempt (linked to the one before)
//	          |       +---- settle: done
//	          +--- attempt of the callback (linked to the one whose result it carries)
//
// It is configured by the variables OTEL_* only, and off without them. A *Tracer that
// is off is nil: every method of it, and of what it returns, does nothing then and
// allocates nothing. Nothing here blocks or fails: spans that cannot be exported
// are dropped, with one warning.
//
// The package makes no metrics and no logs of OpenTelemetry, and puts neither
// bodies nor header values nor query strings nor URLs into a span.
package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// Tracer makes spans. A nil Tracer makes none.
type Tracer struct {
	tracer    oteltrace.Tracer
	propagate bool // traceparent is read and sent
	processor sdktrace.SpanProcessor
	exports   *exports
	log       *slog.Logger
	once      sync.Once // of Close
}

// service is the name of the service when OTEL_SERVICE_NAME gives none, and that of
// the instrumentation.
const service = "queue-worker"

// New makes a tracer as the variables OTEL_* say, or nil when they ask for none.
// What they say wrongly costs a warning, and traces at worst: no setting of traces
// keeps a worker from starting. Close it.
func New(ctx context.Context, version string, log *slog.Logger) *Tracer {
	s := readSettings()
	if !s.on {
		s.logWarnings(log)
		return nil
	}
	heed(log)
	exporter, err := newExporter(ctx, &s)
	s.logWarnings(log)
	if err != nil {
		log.Warn("tracing off, cannot create exporter", "error", err)
		return nil
	}
	t := &Tracer{propagate: s.propagate, exports: newExports(exporter, log), log: log}
	t.processor = sdktrace.NewBatchSpanProcessor(t.exports)
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(t.processor), sdktrace.WithResource(newResource(ctx, version, log)))
	t.tracer = provider.Tracer(service, oteltrace.WithInstrumentationVersion(version), oteltrace.WithSchemaURL(semconv.SchemaURL))
	log.Info("tracing on", "protocol", s.protocol)
	return t
}

// newExporter makes an exporter. It connects to nothing yet.
func newExporter(ctx context.Context, s *settings) (sdktrace.SpanExporter, error) {
	d, err := s.readDestination()
	if err != nil {
		return nil, err
	}
	return otlptrace.New(ctx, newClient(d, s.protocol))
}

// newResource says what makes the spans. OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES have precedence over these.
func newResource(ctx context.Context, version string, log *slog.Logger) *resource.Resource {
	r, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName(service), semconv.ServiceVersion(version)),
		resource.WithHost(), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		log.Warn("OTEL_RESOURCE_ATTRIBUTES is partly invalid", "hint", "a list such as deployment.environment.name=prod,team=night")
	}
	return r
}

// Close exports the spans that have ended, until ctx ends at the latest. Spans that
// end later are dropped. Only the first call does anything.
func (t *Tracer) Close(ctx context.Context) {
	if t == nil {
		return
	}
	t.once.Do(func() {
		err := t.processor.Shutdown(ctx)
		t.exports.stop()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.log.Warn("last spans not exported", "error", fmt.Errorf("shut down: %w", err))
		}
	})
}
