// File settings.go reads the variables of OpenTelemetry that turn traces on, and refuses values that this
// program does not know. Its SDK reads the others: OTEL_BSP_*, OTEL_TRACES_SAMPLER, OTEL_SPAN_* and the
// two of the resource.

package trace

import (
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
)

// Protocols of OTEL_EXPORTER_OTLP_PROTOCOL.
const (
	protocolGRPC  = "grpc"
	protocolProto = "http/protobuf"
	protocolJSON  = "http/json"
)

// settings are what the variables say.
type settings struct {
	on        bool
	protocol  string
	propagate bool // traceparent is read and sent
	warnings  []string
}

// readSettings reads the environment itself, because the SDK does too.
func readSettings() settings {
	s := settings{protocol: protocolProto, propagate: true}
	if strings.EqualFold(variable("OTEL_SDK_DISABLED"), "true") {
		return s
	}
	endpoint, from := either("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	s.on = s.exporters(endpoint != "")
	if s.on {
		s.readEndpoint(endpoint, from)
		s.readProtocol()
		s.readPropagators()
	}
	return s
}

// exporters reports whether spans go anywhere: to an endpoint, unless the list of
// exporters says otherwise.
func (s *settings) exporters(endpoint bool) bool {
	value := variable("OTEL_TRACES_EXPORTER")
	if value == "" {
		return endpoint
	}
	on := false
	for name := range strings.SplitSeq(value, ",") {
		switch name = strings.TrimSpace(name); name {
		case "otlp":
			on = true
		case "none", "":
		default:
			s.warn("OTEL_TRACES_EXPORTER: there is no exporter " + clip(name) + ", only otlp and none")
		}
	}
	return on
}

// readEndpoint turns traces off when the endpoint is not usable, rather than sending to
// a default. The warning does not repeat it, since it may hold credentials.
func (s *settings) readEndpoint(value, from string) {
	if value == "" {
		return
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		s.on = false
		s.warn("no traces, " + from + " is not a URL such as http://collector:4318")
	}
}

func (s *settings) readProtocol() {
	value, from := either("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
	switch value {
	case "":
	case protocolGRPC, protocolProto, protocolJSON:
		s.protocol = value
	default:
		s.on = false
		s.warn("no traces, " + from + " is none of grpc, http/protobuf and http/json")
	}
}

// readPropagators knows W3C's trace context alone. Baggage needs no propagator: it is a
// header field of the caller that is passed on like any other.
func (s *settings) readPropagators() {
	value := variable("OTEL_PROPAGATORS")
	if value == "" {
		return
	}
	names := strings.Split(value, ",")
	for i, n := range names {
		names[i] = strings.TrimSpace(n)
		if !slices.Contains([]string{"tracecontext", "baggage", "none", ""}, names[i]) {
			s.warn("OTEL_PROPAGATORS: there is no propagator " + clip(names[i]) + ", only tracecontext, baggage and none")
		}
	}
	s.propagate = slices.Contains(names, "tracecontext")
}

func (s *settings) logWarnings(log *slog.Logger) {
	for _, w := range s.warnings {
		log.Warn(w)
	}
}

func (s *settings) warn(text string) { s.warnings = append(s.warnings, text) }

func variable(name string) string { return strings.TrimSpace(os.Getenv(name)) }

// either is the value of the first variable that has one, and its name.
func either(names ...string) (value, name string) {
	for _, n := range names {
		if v := variable(n); v != "" {
			return v, n
		}
	}
	return "", ""
}
