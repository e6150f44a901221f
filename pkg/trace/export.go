// File export.go exports spans so that an unreachable receiver does no harm. Spans wait in
// the bounded queue of the SDK and are dropped when it is full; errors become one warning,
// and the end of the process ends a running export.

package trace

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// exports is an exporter that never fails and can be stopped.
type exports struct {
	sdktrace.SpanExporter
	stopping context.Context
	stop     context.CancelFunc
	failing  atomic.Bool
	log      *slog.Logger
}

func newExports(e sdktrace.SpanExporter, log *slog.Logger) *exports {
	x := &exports{SpanExporter: e, log: log}
	x.stopping, x.stop = context.WithCancel(context.Background())
	return x
}

// ExportSpans implements sdktrace.SpanExporter.
func (x *exports) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(x.stopping, cancel)()
	x.tell(x.SpanExporter.ExportSpans(ctx, spans))
	return nil // it is logged
}

// tell logs the first error, and the first success after it.
func (x *exports) tell(err error) {
	switch {
	case err == nil:
		if x.failing.CompareAndSwap(true, false) {
			x.log.Info("span export recovered")
		}
	case x.stopping.Err() != nil: // Close logs it
	case x.failing.CompareAndSwap(false, true):
		x.log.Warn("cannot export spans, dropping them",
			"error", clip(err.Error()), "hint", "is the receiver at OTEL_EXPORTER_OTLP_ENDPOINT up, and does it speak OTEL_EXPORTER_OTLP_PROTOCOL?")
	}
}

// heed brings what the SDK has to say into the log. The SDK has one place for it in
// a process.
func heed(log *slog.Logger) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("OpenTelemetry", "error", clip(err.Error())) }))
	otel.SetLogger(logr.New(sink{log}))
}

// sink takes the errors of the SDK without what is beside them: values of variables,
// which may be credentials.
type sink struct{ log *slog.Logger }

var _ logr.LogSink = sink{}

func (sink) Init(logr.RuntimeInfo)            {}
func (sink) Enabled(int) bool                 { return false }
func (sink) Info(int, string, ...any)         {}
func (s sink) WithValues(...any) logr.LogSink { return s }
func (s sink) WithName(string) logr.LogSink   { return s }
func (s sink) Error(_ error, message string, _ ...any) {
	s.log.Warn("invalid OpenTelemetry variable", "at", message, "hint", "see docs/traces.md")
}
