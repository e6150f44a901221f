// File accept.go carries out what a publisher sends, as far as rights.go allows.

package stanserver

import (
	"encoding/json"
	"strconv"
	"strings"

	streaming "github.com/nats-io/nats-streaming-server/server"
	"github.com/nats-io/stan.go/pb"
)

// maxRequest is the largest payload of a request that is no message, in bytes.
const maxRequest = 4 << 10

// accept reads commands until one breaks the protocol or the connection ends.
func (p *publisher) accept() error {
	for {
		line, err := p.line()
		if err != nil {
			return err
		}
		c, err := parseCommand(line)
		if err != nil {
			return err
		}
		if err := p.carryOut(c); err != nil {
			return err
		}
	}
}

func (p *publisher) carryOut(c command) error {
	if c.op == opConnect {
		return p.connect(c.json)
	}
	if !p.greeted {
		return errAuth
	}
	switch c.op {
	case opPing:
		return p.forward("PING\r\n")
	case opPong:
		return p.forward("PONG\r\n")
	case opSubscribe:
		return p.subscribe(string(c.subject), string(c.sid))
	case opUnsubscribe:
		return p.unsubscribe(string(c.sid), c.max)
	default:
		return p.publish(c)
	}
}

// greeting is what counts of a CONNECT.
type greeting struct {
	Verbose      bool   `json:"verbose"`
	Pedantic     bool   `json:"pedantic"` // never passed on: everything is checked here
	Protocol     int    `json:"protocol"`
	Echo         bool   `json:"echo"`
	Headers      bool   `json:"headers"`
	NoResponders bool   `json:"no_responders"`
	User         string `json:"user,omitempty"`
	Password     string `json:"pass,omitempty"`
	Token        string `json:"auth_token,omitempty"`
}

func (p *publisher) connect(text []byte) error {
	g := greeting{Echo: true}
	if p.greeted || json.Unmarshal(text, &g) != nil {
		return errUnknown
	}
	if !p.listener.credentials.accept(g.User, g.Password, g.Token) {
		return errAuth
	}
	p.greeted = true
	g.User, g.Password, g.Token, g.Pedantic = "", "", "", false
	g.Protocol = min(max(g.Protocol, 0), 1)
	g.NoResponders = g.NoResponders && g.Headers
	known, err := json.Marshal(g) // #nosec G117 -- the credentials were removed above
	if err != nil {
		return err
	}
	return p.forward("CONNECT ", string(known), "\r\n")
}

// forward sends a command to the server, with the next flush.
func (p *publisher) forward(parts ...string) error {
	for _, s := range parts {
		if _, err := p.out.WriteString(s); err != nil {
			return err
		}
	}
	return nil
}

func (p *publisher) subscribe(subject, sid string) error {
	if !isInbox(subject) || !isToken(sid) {
		return p.refuse("Subscription", subject)
	}
	p.mu.Lock()
	known, full := p.subscribed(sid) != nil, len(p.subs) >= maxSubscriptions
	if !known && !full {
		p.subs = append(p.subs, &subscription{sid: sid, inbox: subject})
	}
	p.mu.Unlock()
	switch {
	case known:
		return nil // as the server does
	case full:
		return p.outbox.send([]byte("-ERR 'maximum subscriptions exceeded'\r\n"))
	}
	return p.forward("SUB ", behind, subject, " ", sid, "\r\n")
}

func (p *publisher) unsubscribe(sid string, limit int) error {
	p.mu.Lock()
	s := p.subscribed(sid)
	if s != nil {
		s.max = limit
		if limit <= s.delivered {
			p.drop(s)
		}
	}
	p.mu.Unlock()
	if s == nil {
		return nil
	}
	if limit == 0 {
		return p.forward("UNSUB ", sid, "\r\n")
	}
	return p.forward("UNSUB ", sid, " ", strconv.Itoa(limit), "\r\n")
}

// refuse answers a publisher that it may not use a subject, in the words of nats-server.
func (p *publisher) refuse(verb, subject string) error {
	const shown = 64
	name := strconv.QuoteToASCII(subject[:min(len(subject), shown)])
	p.listener.refused(p, strings.ToLower(verb)+" to "+name)
	return p.outbox.send([]byte("-ERR 'Permissions Violation for " + verb + " to " + name + "'\r\n"))
}

// publish is a command with a payload. Every request names an inbox of the publisher
// for its answer, which therefore cannot go to another client.
func (p *publisher) publish(c command) error {
	asks := p.listener.rights.asks(c.subject)
	inbox := p.ownInbox(c.reply)
	small := asks == requestPublish || c.size <= maxRequest
	switch {
	case c.size > p.listener.maxPayload:
		return errPayload
	case asks == requestHeartbeat && c.size == 0 && len(c.reply) == 0:
		return p.answerHeartbeat(c)
	case asks == requestNone, asks == requestHeartbeat, inbox == nil, !small:
		if err := p.skip(c.size); err != nil {
			return err
		}
		return p.refuse("Publish", string(c.subject))
	}
	payload, err := p.payload(c.size)
	if err != nil {
		return err
	}
	defer p.listener.uploads.done(p)
	return p.request(asks, c, inbox, payload)
}

func (p *publisher) request(asks request, c command, inbox *subscription, payload []byte) error {
	body := payload[:c.size]
	switch asks {
	case requestPublish:
		return p.requestPublish(c, inbox, payload)
	case requestPing:
		var ping pb.Ping
		if ping.Unmarshal(body) != nil {
			break
		}
		p.listener.clients.pinged(p, ping.ConnID)
		return p.forwardRequest(c, &ping)
	case requestConnect:
		return p.requestConnect(c, inbox, body)
	case requestClose:
		var closing pb.CloseRequest
		if closing.Unmarshal(body) != nil {
			break
		}
		if !p.listener.clients.close(p, closing.ClientID) {
			return p.answer(c, inbox, &pb.CloseResponse{Error: streaming.ErrUnknownClient.Error()})
		}
		return p.forwardRequest(c, &closing)
	default: // heartbeats, and what is no request, are refused
	}
	return p.refuse("Publish", string(c.subject))
}

// requestConnect asks the server to connect a client id, whose heartbeats come to an
// inbox of this publisher.
func (p *publisher) requestConnect(c command, inbox *subscription, body []byte) error {
	var req pb.ConnectRequest
	if req.Unmarshal(body) != nil || p.ownInbox([]byte(req.HeartbeatInbox)) == nil {
		return p.refuse("Publish", string(c.subject))
	}
	if !clientIDs.MatchString(req.ClientID) {
		return p.answer(c, inbox, &pb.ConnectResponse{Error: streaming.ErrInvalidClientID.Error()})
	}
	secret := string(req.ConnID)
	if p.listener.rights.isReserved(req.ClientID) || !p.listener.clients.mayConnect(p, req.ClientID, secret) || !p.ask(c, req.ClientID, secret) {
		p.listener.refused(p, "connect with a client id that is in use")
		return p.answer(c, inbox, &pb.ConnectResponse{Error: streaming.ErrInvalidClient.Error()})
	}
	req.HeartbeatInbox = behind + req.HeartbeatInbox
	return p.forwardRequest(c, &req)
}

// requestPublish passes a message on as it is.
func (p *publisher) requestPublish(c command, inbox *subscription, payload []byte) error {
	queue := string(c.subject[len(p.listener.rights.publish):])
	m, ok := scan(payload[:c.size])
	if !ok || string(m.queue) != queue {
		return p.refuse("Publish", string(c.subject))
	}
	nack := &pb.PubAck{Guid: string(m.guid)}
	switch {
	case !p.listener.rights.queues[queue]:
		p.listener.refused(p, "publish to a queue that is not configured")
		nack.Error = "the worker does not read this queue: add it to its faas_nats_channel"
	case len(m.guid) == 0, p.listener.rights.isReserved(string(m.clientID)), !p.listener.clients.mayPublish(p, m.clientID, m.connID):
		p.listener.refused(p, "publish with a client id that is not its own")
		nack.Error = streaming.ErrInvalidPubReq.Error()
	default:
		err := p.listener.backlog.reserve(queue, m.size)
		if err == nil {
			return p.forwardPublish(c, payload)
		}
		p.listener.refused(p, err.Error())
		nack.Error = err.Error()
	}
	return p.answer(c, inbox, nack)
}

// marshaler is a message of NATS Streaming.
type marshaler interface{ Marshal() ([]byte, error) }

// forwardRequest composes the request again, so that the server sees what was checked.
func (p *publisher) forwardRequest(c command, m marshaler) error {
	b, err := m.Marshal()
	if err != nil {
		return err
	}
	c.size = len(b)
	return p.forwardPublish(c, append(b, '\r', '\n'))
}

func (p *publisher) forwardPublish(c command, payload []byte) error {
	b := append(p.out.AvailableBuffer(), "PUB "...)
	b = append(append(b, c.subject...), ' ')
	b = append(append(append(b, behind...), c.reply...), ' ')
	b = append(strconv.AppendInt(b, int64(c.size), 10), '\r', '\n')
	if _, err := p.out.Write(b); err != nil {
		return err
	}
	_, err := p.out.Write(payload)
	return err
}

// answer sends a publisher the answer that the server would give.
func (p *publisher) answer(c command, inbox *subscription, m marshaler) error {
	b, err := m.Marshal()
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.count(inbox)
	p.mu.Unlock()
	head := "MSG " + string(c.reply) + " " + inbox.sid + " " + strconv.Itoa(len(b)) + "\r\n"
	return p.outbox.send([]byte(head), b, []byte("\r\n"))
}
