// File lack.go lists what a process may lack to make a call, and which errors mean that.

package descriptor

import (
	"errors"
	"net"
	"strings"
	"syscall"
)

// Kind is what is lacking.
type Kind uint8

// The closed set of kinds. The first two say nothing of the other end. The others count on the way to the gateway only:
// towards a host that a caller chose they are the fault of that host.
const (
	Files    Kind = iota // no free file descriptor
	Buffers              // no buffer or memory for a socket
	Ports                // no free local port
	Resolver             // no answer of the DNS for the gateway's name
	Proxy                // a proxy before the gateway asks for credentials
	kinds
)

// text is what logs and readiness say of a kind.
type text struct{ lacking, ended, hint string }

const lostNothing = "; nothing is lost and no attempt is counted"

var texts = [kinds]text{
	Files: {
		"no free file descriptor", "file descriptors are free again",
		"raise the limit of open files (ulimit -n, LimitNOFILE) or close connections to this worker" + lostNothing,
	},
	Buffers: {
		"no buffer for a socket", "buffers for sockets are free again",
		"raise the memory of the machine for sockets (net.ipv4.tcp_mem) or lower max_inflight" + lostNothing,
	},
	Ports: {
		"no free local port for calls to the gateway", "local ports are free again",
		"widen net.ipv4.ip_local_port_range or lower max_inflight" + lostNothing,
	},
	Resolver: {
		"the DNS does not answer for the name of the gateway", "the DNS answers again",
		"check the DNS of this machine, or set gateway_url to an address" + lostNothing,
	},
	Proxy: {
		"a proxy before the gateway asks for credentials", "calls pass the proxy again",
		"set gateway_url to the gateway itself: the worker has no credentials for a proxy" + lostNothing,
	},
}

// String is what is lacking, in a few words.
func (k Kind) String() string { return texts[k].lacking }

// Lack is an error of an operation for which the process lacks something. It names nothing but that.
type Lack struct {
	Kind Kind
	Err  error
}

// Error implements error.
func (l *Lack) Error() string { return l.Kind.String() }

// Unwrap returns what the operation has reported.
func (l *Lack) Unwrap() error { return l.Err }

// exhausted are the errors of a kernel without a free descriptor, in the process or in the
// whole system, or without a buffer for a socket.
var exhausted = []struct {
	errno syscall.Errno
	kind  Kind
}{{syscall.EMFILE, Files}, {syscall.ENFILE, Files}, {syscall.ENOBUFS, Buffers}, {syscall.ENOMEM, Buffers}}

// Exhausted reports whether an operation failed because the process lacks something: a descriptor or a buffer, or what a
// Lack says. Of a failed name lookup only the text says so.
func Exhausted(err error) bool {
	_, ok := lackOf(err)
	return ok
}

// lackOf is what the process lacks by an error.
func lackOf(err error) (Kind, bool) {
	if l, ok := errors.AsType[*Lack](err); ok {
		return l.Kind, true
	}
	dns, lookup := errors.AsType[*net.DNSError](err)
	for _, e := range exhausted {
		if errors.Is(err, e.errno) || lookup && strings.Contains(dns.Err, e.errno.Error()) {
			return e.kind, true
		}
	}
	return 0, false
}

// Reason says what the process lacks by an error; empty for nothing.
func Reason(err error) string {
	if kind, ok := lackOf(err); ok {
		return kind.String()
	}
	return ""
}

// OnTheWayToGateway returns the error of a connection to the gateway, as a Lack when the process has no free local port
// for it or when the DNS gives no answer. That there is no such name is an answer.
func OnTheWayToGateway(err error) error {
	if err == nil || Exhausted(err) {
		return err
	}
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return &Lack{Ports, err}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && !dns.IsNotFound && (dns.IsTimeout || dns.IsTemporary) {
		return &Lack{Resolver, err}
	}
	return err
}
