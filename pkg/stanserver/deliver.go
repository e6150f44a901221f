// File deliver.go passes on what the server has for a publisher: answers, confirmations
// and heartbeats.

package stanserver

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/nats-io/stan.go/pb"
)

// deliver reads from the server until it hangs up, and ends the outbox then.
func (p *publisher) deliver() {
	defer p.outbox.close()
	r := bufio.NewReaderSize(p.server, backBuffer)
	var text []byte
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			break // the end of the connection, which is no error; longer lines there are none
		}
		text = append(text[:0], trimEnd(line)...)
		if err := p.pass(r, text); err != nil {
			if errors.Is(err, errConsumer) {
				p.listener.refused(p, errConsumer.Error())
			}
			break
		}
	}
	_ = p.server.Close()
}

func (p *publisher) pass(r *bufio.Reader, line []byte) error {
	d, isMessage, err := parseDelivery(line)
	if err != nil {
		return err
	}
	if !isMessage {
		return p.passLine(line)
	}
	payload, err := r.Peek(d.size + 2)
	if err != nil {
		return err
	}
	if err := p.passMessage(d, payload); err != nil {
		return err
	}
	_, err = r.Discard(len(payload))
	return err
}

// info is what a publisher has to know of the server.
type info struct {
	ID           string `json:"server_id"`
	Name         string `json:"server_name"`
	Version      string `json:"version"`
	Proto        int    `json:"proto"`
	Go           string `json:"go"`
	Host         string `json:"host"`
	Port         int    `json:"port"`
	Headers      bool   `json:"headers"`
	MaxPayload   int32  `json:"max_payload"`
	AuthRequired bool   `json:"auth_required,omitempty"`
}

func (p *publisher) passLine(line []byte) error {
	verb, rest := cutVerb(line)
	if !is(verb, "INFO") {
		return p.outbox.send(line, []byte("\r\n"))
	}
	var i info
	if err := json.Unmarshal(rest, &i); err != nil {
		return err
	}
	i.AuthRequired = p.listener.credentials != ""
	known, err := json.Marshal(i)
	if err != nil {
		return err
	}
	return p.outbox.send([]byte("INFO "), known, []byte("\r\n"))
}

func (p *publisher) passMessage(d delivery, payload []byte) error {
	subject, ok := bytes.CutPrefix(d.subject, []byte(behind))
	if !ok {
		return errDelivery
	}
	p.mu.Lock()
	if s := p.subscribed(string(d.sid)); s != nil {
		p.count(s)
	}
	asked, isAnswer := p.asked[string(subject)]
	delete(p.asked, string(subject))
	reply := p.heartbeat(d.reply)
	p.mu.Unlock()
	if isAnswer && len(d.headers) == 0 {
		p.learn(asked, payload[:d.size])
	}
	verb := "MSG "
	if len(d.headers) > 0 {
		verb = "HMSG "
	}
	b := append(make([]byte, 0, 256), verb...)
	b = append(append(append(b, subject...), ' '), d.sid...)
	for _, field := range [][]byte{reply, d.headers} {
		if len(field) > 0 {
			b = append(append(b, ' '), field...)
		}
	}
	b = append(strconv.AppendInt(append(b, ' '), int64(d.size), 10), '\r', '\n')
	return p.outbox.send(b, payload)
}

// learn notes a client id that the server has connected. No other answer of the server
// has the subject for closing where this one has it, whatever it was asked.
func (p *publisher) learn(asked connecting, body []byte) {
	var answer pb.ConnectResponse
	if answer.Unmarshal(body) == nil && answer.Error == "" && answer.CloseRequests == p.listener.rights.closing {
		p.listener.clients.connected(p, asked.id, asked.secret)
	}
}

// ask notes a connect request, unless there are too many; its answer decides.
func (p *publisher) ask(c command, id, secret string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.asked) >= maxClients {
		return false
	}
	p.asked[string(c.reply)] = connecting{id, secret}
	return true
}

// heartbeat keeps where the answer to a heartbeat goes. The publisher gets a number
// instead: the server's own inboxes show what those of the worker may be called.
func (p *publisher) heartbeat(subject []byte) []byte {
	if len(subject) == 0 {
		return nil
	}
	p.beat++
	h := heartbeat{p.beat, string(subject)}
	if len(p.beats) < maxAnswers {
		p.beats = append(p.beats, h)
	} else {
		p.beats[(p.beat-1)%maxAnswers] = h
	}
	return strconv.AppendUint([]byte(heartbeatPrefix), p.beat, 10)
}

// answerHeartbeat lets a publisher answer each heartbeat that it was sent, once.
func (p *publisher) answerHeartbeat(c command) error {
	if _, err := p.payload(0); err != nil {
		return err
	}
	n, err := strconv.ParseUint(string(c.subject[len(heartbeatPrefix):]), 10, 64)
	subject := ""
	p.mu.Lock()
	if i := (n - 1) % maxAnswers; err == nil && n > 0 && i < uint64(len(p.beats)) && p.beats[i].number == n {
		subject = p.beats[i].subject
		p.beats[i].subject = ""
	}
	p.mu.Unlock()
	if subject == "" {
		return p.refuse("Publish", string(c.subject))
	}
	return p.forward("PUB ", subject, " 0\r\n\r\n")
}

// subscribed finds a subscription by its sid; mu is held.
func (p *publisher) subscribed(sid string) *subscription {
	for _, s := range p.subs {
		if s.sid == sid {
			return s
		}
	}
	return nil
}

// ownInbox is the subscription that gets what is sent to a subject; nil for none.
func (p *publisher) ownInbox(subject []byte) *subscription {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.subs {
		if covers(s.inbox, subject) {
			return s
		}
	}
	return nil
}

// count notes a delivery, and the end of a subscription that was to have no more; mu is held.
func (p *publisher) count(s *subscription) {
	s.delivered++
	if s.max > 0 && s.delivered >= s.max {
		p.drop(s)
	}
}

func (p *publisher) drop(gone *subscription) {
	for i, s := range p.subs {
		if s == gone {
			p.subs = append(p.subs[:i], p.subs[i+1:]...)
			return
		}
	}
}
