// File protocol.go parses the client protocol of NATS as far as a publisher uses it.
// Whatever it does not know is an error: the server behind it never sees it.

package stanserver

import (
	"bytes"
	"errors"
	"math"
)

// maxLine is the longest command in bytes, without its payload: the limit of nats-server.
const maxLine = 4096

// op is a command of a client.
type op uint8

const (
	opConnect op = iota
	opPing
	opPong
	opPublish
	opSubscribe
	opUnsubscribe
)

// command is one line of a client. Its fields are parts of that line.
type command struct {
	op      op
	subject []byte // of opPublish and opSubscribe
	reply   []byte // of opPublish; may be empty
	sid     []byte // of opSubscribe and opUnsubscribe
	size    int    // of opPublish: bytes of the payload
	max     int    // of opUnsubscribe: messages until it takes effect; 0 for at once
	json    []byte // of opConnect
}

// violation is why a publisher is cut off, in the words of nats-server.
type violation string

func (v violation) Error() string { return string(v) }

const (
	errUnknown  violation = "Unknown Protocol Operation"
	errLine     violation = "Maximum Control Line Exceeded"
	errPayload  violation = "Maximum Payload Violation"
	errAuth     violation = "Authorization Violation"
	errTooSlow  violation = "Stale Connection"
	errConsumer violation = "Slow Consumer"
)

// parseCommand parses a line, which has no line end any more.
func parseCommand(line []byte) (command, error) {
	verb, rest := cutVerb(line)
	switch {
	case is(verb, "PUB"):
		return parsePublish(rest)
	case is(verb, "PING") && len(rest) == 0:
		return command{op: opPing}, nil
	case is(verb, "PONG") && len(rest) == 0:
		return command{op: opPong}, nil
	case is(verb, "SUB"):
		return parseSubscribe(rest)
	case is(verb, "UNSUB"):
		return parseUnsubscribe(rest)
	case is(verb, "CONNECT"):
		return command{op: opConnect, json: rest}, nil
	}
	return command{}, errUnknown
}

func parsePublish(rest []byte) (command, error) {
	var f [3][]byte
	c := command{op: opPublish}
	switch fields(rest, f[:]) {
	case 2:
		c.subject, c.size = f[0], number(f[1])
	case 3:
		c.subject, c.reply, c.size = f[0], f[1], number(f[2])
	default:
		return command{}, errUnknown
	}
	if c.size < 0 {
		return command{}, errUnknown
	}
	return c, nil
}

// parseSubscribe knows no queue group: nothing that a publisher receives is shared.
func parseSubscribe(rest []byte) (command, error) {
	var f [3][]byte
	switch fields(rest, f[:]) {
	case 2:
		return command{op: opSubscribe, subject: f[0], sid: f[1]}, nil
	case 3: // the subject is not one that a publisher may have with a queue group
		return command{op: opSubscribe, subject: bytes.Join(f[:2], []byte(" ")), sid: f[2]}, nil
	}
	return command{}, errUnknown
}

func parseUnsubscribe(rest []byte) (command, error) {
	var f [2][]byte
	c := command{op: opUnsubscribe}
	switch fields(rest, f[:]) {
	case 1:
		c.sid = f[0]
	case 2:
		c.sid, c.max = f[0], max(number(f[1]), 0)
	default:
		return command{}, errUnknown
	}
	return c, nil
}

// delivery is one line of the server that has a payload: a message.
type delivery struct {
	subject, sid, reply []byte
	headers             []byte // their size as it was written; empty for a message without
	size                int
}

var errDelivery = errors.New("the server's protocol is not understood")

// parseDelivery parses MSG and HMSG, and reports false for every other line.
func parseDelivery(line []byte) (d delivery, ok bool, err error) {
	verb, rest := cutVerb(line)
	var f [5][]byte
	tail := 1 // sizes at the end
	switch {
	case is(verb, "MSG"):
	case is(verb, "HMSG"):
		tail = 2
	default:
		return d, false, nil
	}
	n := fields(rest, f[:])
	if n != 2+tail && n != 3+tail {
		return d, true, errDelivery
	}
	d.subject, d.sid, d.size = f[0], f[1], number(f[n-1])
	if n == 3+tail {
		d.reply = f[2]
	}
	if tail == 2 {
		d.headers = f[n-2]
	}
	if d.size < 0 {
		return d, true, errDelivery
	}
	return d, true, nil
}

// cutVerb takes the first word off a line. The rest has no blanks around it.
func cutVerb(line []byte) (verb, rest []byte) {
	i := bytes.IndexAny(line, " \t")
	if i < 0 {
		return line, nil
	}
	return line[:i], bytes.Trim(line[i:], " \t")
}

// is compares a word with one in capitals, whatever its own case.
func is(word []byte, capitals string) bool {
	if len(word) != len(capitals) {
		return false
	}
	for i, c := range word {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != capitals[i] {
			return false
		}
	}
	return true
}

// fields splits at blanks and counts; one more than fit in into means too many.
func fields(line []byte, into [][]byte) int {
	n := 0
	for {
		line = bytes.TrimLeft(line, " \t")
		if len(line) == 0 {
			return n
		}
		if n == len(into) {
			return n + 1
		}
		end := bytes.IndexAny(line, " \t")
		if end < 0 {
			end = len(line)
		}
		into[n] = line[:end]
		line = line[end:]
		n++
	}
}

// number is a decimal number that fits in 31 bits, or -1.
func number(digits []byte) int {
	if len(digits) == 0 || len(digits) > 10 {
		return -1
	}
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	if n > math.MaxInt32 {
		return -1
	}
	return n
}
