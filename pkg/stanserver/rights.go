// File rights.go says what a publisher may do: what its library does, and no more.
//
//	SUB  _INBOX.<name>, _INBOX.<name>.*, _STAN.acks.<name>    its own inboxes
//	PUB  _STAN.discover.<cluster>                             connect
//	PUB  _STAN.discover.<cluster>.pings                       ping
//	PUB  _STAN.pub.<cluster>.<configured queue>               publish
//	PUB  _STAN.close.<cluster>                                close what it connected
//	PUB  the reply subject of a heartbeat that it was sent    answer it, once
//
// A name is long enough that it cannot be guessed. On the way to the server every
// inbox gets a prefix, so that an inbox of a publisher is never one of the worker or
// of the server, whatever it is called.

package stanserver

import (
	"bytes"
	"regexp"
	"strings"
)

const (
	inboxPrefix = "_INBOX."
	acksPrefix  = "_STAN.acks."
	// behind is what the server sees before every inbox of a publisher.
	behind = "_PUBLISHER."
	// heartbeatPrefix is what a publisher sees in place of the server's own inbox.
	heartbeatPrefix = "_HEARTBEAT."

	// minInbox is the shortest name of an inbox, in characters. The libraries of NATS
	// have 22, of which 12 are random and stay secret within one process.
	minInbox = 20
	maxInbox = 128
)

// clientIDs are the names that NATS Streaming accepts, bounded.
var clientIDs = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,256}$`)

// request is what a publisher asks of NATS Streaming by publishing to a subject.
type request uint8

const (
	requestNone request = iota // it may not publish there
	requestConnect
	requestPing
	requestPublish
	requestClose
	requestHeartbeat // the answer to one
)

// rights are the same for all publishers of a server.
type rights struct {
	discover, ping, closing, publish string
	queues                           map[string]bool
	// reserved begins the client ids that only the worker uses.
	reserved string
}

func newRights(cluster string, queues []string, reserved string) *rights {
	r := &rights{
		discover: "_STAN.discover." + cluster, ping: "_STAN.discover." + cluster + ".pings",
		closing: "_STAN.close." + cluster, publish: "_STAN.pub." + cluster + ".",
		queues: make(map[string]bool), reserved: reserved,
	}
	for _, q := range queues {
		r.queues[q] = true
	}
	return r
}

// asks says what a publish to a subject is.
func (r *rights) asks(subject []byte) request {
	switch {
	case bytes.HasPrefix(subject, []byte(r.publish)):
		return requestPublish
	case bytes.HasPrefix(subject, []byte(heartbeatPrefix)):
		return requestHeartbeat
	case string(subject) == r.ping:
		return requestPing
	case string(subject) == r.discover:
		return requestConnect
	case string(subject) == r.closing:
		return requestClose
	}
	return requestNone
}

// isReserved reports whether a client id belongs to the worker.
func (r *rights) isReserved(clientID string) bool {
	return r.reserved != "" && strings.HasPrefix(clientID, r.reserved)
}

// isInbox reports whether a publisher may subscribe to a subject.
func isInbox(subject string) bool {
	if len(subject) > maxInbox {
		return false
	}
	if name, ok := strings.CutPrefix(subject, acksPrefix); ok {
		return isName(name)
	}
	rest, ok := strings.CutPrefix(subject, inboxPrefix)
	if !ok {
		return false
	}
	name, last, two := strings.Cut(rest, ".")
	return isName(name) && (!two || last == "*" || isToken(last))
}

func isName(s string) bool { return len(s) >= minInbox && isToken(s) }

// isToken reports whether s can be one part of a subject and is no wildcard.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return s != ""
}

// covers reports whether a subscription to an inbox gets what is sent to a subject.
func covers(inbox string, subject []byte) bool {
	if prefix, wildcard := strings.CutSuffix(inbox, "*"); wildcard {
		return len(subject) <= maxInbox && bytes.HasPrefix(subject, []byte(prefix)) && isToken(string(subject[len(prefix):]))
	}
	return string(subject) == inbox
}
