package invoke

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"queue-worker/pkg/egress"
	"queue-worker/pkg/invocation"
)

// Why a call got no answer, in the closed set of causes and in fixed words. The
// text of an error is never passed on: it repeats what the other side sent.

// classify names the cause of an error that net/http gave for a call.
func classify(err error) (invocation.Cause, string) {
	var dns *net.DNSError
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.Is(err, egress.ErrGatewayUnknown):
		return invocation.CauseDNS, "the gateway's name has no address yet, and the URL may lead there"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return invocation.CauseTransport, "no free local port for the host"
	case errors.As(err, &dns):
		return invocation.CauseDNS, "the name of the host has no address"
	case isTLS(err):
		return invocation.CauseTLS, tlsDetail(err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return invocation.CauseRefused, "connection refused"
	case errors.As(err, &op) && op.Op != "dial" && errors.Is(err, syscall.ETIMEDOUT):
		return invocation.CauseReset, "the other side went silent"
	case errors.Is(err, errDialTimeout), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return invocation.CauseTimeout, "no connection in time"
	case isBroken(err):
		return invocation.CauseReset, "the connection broke"
	}
	return invocation.CauseTransport, transportDetail(err)
}

// isBroken reports whether a connection ended early. errServerClosedIdle of
// net/http has no name, so its text is compared.
func isBroken(err error) bool {
	for _, e := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return strings.Contains(err.Error(), "server closed idle connection")
}

// isTLS reports whether a handshake failed. Most errors of crypto/tls have no type
// but all have its prefix.
func isTLS(err error) bool {
	var alert tls.AlertError
	var record tls.RecordHeaderError
	var cert *tls.CertificateVerificationError
	if errors.As(err, &alert) || errors.As(err, &record) || errors.As(err, &cert) {
		return true
	}
	text := err.Error()
	return strings.HasPrefix(text, "tls: ") || strings.HasPrefix(text, "x509: ") ||
		strings.Contains(text, "error: tls: ") || strings.Contains(text, "HTTP response to HTTPS client")
}

func tlsDetail(err error) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return "the certificate is signed by an unknown authority"
	case errors.As(err, &host):
		return "the certificate is for another host"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate has expired or is not valid yet"
	}
	return "the TLS handshake failed"
}

// transportDetail names the more common ones of the rest.
func transportDetail(err error) string {
	text := err.Error()
	for _, known := range []struct{ part, detail string }{
		{"response headers exceeded", "the header of the answer is too long"},
		{"malformed HTTP", "the answer is not HTTP"},
		{"malformed MIME", "the header of the answer is malformed"},
		{"Content-Length", "the answer has an unusable Content-Length"},
		{"transfer encoding", "the answer has an unknown transfer encoding"},
		{"chunk", "the body of the answer is malformed"},
		{"no route to host", "no route to the host"},
		{"network is unreachable", "the network is unreachable"},
	} {
		if strings.Contains(text, known.part) {
			return known.detail
		}
	}
	return "the connection failed"
}
