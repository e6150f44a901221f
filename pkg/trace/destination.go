// File destination.go reads the variables of OpenTelemetry that say where spans are sent, and how.

package trace

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"golang.org/x/net/http/httpguts"
)

// sendTimeout bounds one request unless OTEL_EXPORTER_OTLP_TIMEOUT does.
const sendTimeout = 10 * time.Second

// destination is the receiver of spans.
type destination struct {
	url     *url.URL
	header  http.Header
	timeout time.Duration
	gzip    bool
	tls     *tls.Config // nil for the defaults
}

// errPlain refuses to send in clear text what was meant to be encrypted.
var errPlain = errors.New("OTEL_EXPORTER_OTLP_CERTIFICATE or _CLIENT_CERTIFICATE is set, and the endpoint is not an https:// URL")

// readDestination reads the variables. A value that is not usable costs a warning.
func (s *settings) readDestination() (destination, error) {
	d := destination{url: s.endpoint(), timeout: s.timeout(), header: s.header()}
	d.tls = s.encryption()
	compression, _ := ofTraces("COMPRESSION")
	d.gzip = compression == "gzip"
	if d.tls != nil && d.url.Scheme == "http" && s.protocol != protocolGRPC {
		return d, errPlain
	}
	return d, nil
}

// ofTraces returns the variable of traces alone, or else the one of all signals, and
// its name.
func ofTraces(name string) (value, from string) {
	return either("OTEL_EXPORTER_OTLP_TRACES_"+name, "OTEL_EXPORTER_OTLP_"+name)
}

// endpoint returns where requests go. An endpoint of traces alone is the whole URL,
// one of all signals lacks the path.
func (s *settings) endpoint() *url.URL {
	u := &url.URL{Scheme: "https", Host: "localhost:4318", Path: "/v1/traces"}
	if s.protocol == protocolGRPC {
		u.Host = "localhost:4317"
	}
	value, from := ofTraces("ENDPOINT")
	if given, err := url.Parse(value); err == nil && value != "" { // readEndpoint has refused other errors
		u.Scheme, u.Host, u.Path = given.Scheme, given.Host, path.Join(given.Path, "/v1/traces")
		if strings.Contains(from, "_TRACES_") {
			u.Path = given.Path
		}
	}
	if insecure, _ := ofTraces("INSECURE"); insecure != "" {
		u.Scheme = map[bool]string{true: "http", false: "https"}[strings.EqualFold(insecure, "true")]
	}
	if s.protocol == protocolGRPC {
		u.Path = exportMethod
	}
	if !strings.HasPrefix(u.Path, "/") {
		u.Path = "/" + u.Path
	}
	return u
}

func (s *settings) timeout() time.Duration {
	value, from := ofTraces("TIMEOUT")
	if value == "" {
		return sendTimeout
	}
	n, err := strconv.Atoi(value)
	if err != nil || n <= 0 {
		s.warn(from + ": a positive number of milliseconds is expected")
		return sendTimeout
	}
	return time.Duration(n) * time.Millisecond
}

// header returns the fields of OTEL_EXPORTER_OTLP_HEADERS. The warning does not
// repeat what it cannot read, since that may be a credential.
func (s *settings) header() http.Header {
	h := http.Header{"User-Agent": {"OTel OTLP Exporter Go/" + otlptrace.Version()}}
	value, from := ofTraces("HEADERS")
	if value == "" {
		return h
	}
	for pair := range strings.SplitSeq(value, ",") {
		name, text, found := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		text, err := url.PathUnescape(text)
		text = strings.TrimSpace(text)
		if !found || err != nil || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(text) {
			s.warn(from + ": cannot parse headers, a list such as name=value,name2=value2 is expected")
			continue
		}
		h.Set(name, text)
	}
	return h
}

// encryption returns the settings of TLS, or nil for the defaults.
func (s *settings) encryption() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	authority, from := ofTraces("CERTIFICATE")
	if authority != "" {
		pool, err := readAuthority(authority)
		s.warnOf(from, err)
		c.RootCAs = pool
	}
	for _, prefix := range []string{"OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"} {
		certificate, key := variable(prefix+"CLIENT_CERTIFICATE"), variable(prefix+"CLIENT_KEY")
		if certificate == "" || key == "" {
			continue
		}
		pair, err := tls.LoadX509KeyPair(certificate, key)
		s.warnOf(prefix+"CLIENT_CERTIFICATE", err)
		if err == nil {
			c.Certificates = []tls.Certificate{pair}
			break
		}
	}
	if c.RootCAs == nil && c.Certificates == nil {
		return nil
	}
	return c
}

func readAuthority(file string) (*x509.CertPool, error) {
	b, err := os.ReadFile(file) // #nosec G304 -- the operator names it
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, errors.New("no certificate in it")
	}
	return pool, nil
}

func (s *settings) warnOf(name string, err error) {
	if err != nil {
		s.warn(fmt.Sprintf("%s is not usable: %v", name, err))
	}
}
