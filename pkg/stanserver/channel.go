// File channel.go reads the state of a channel from NATS Streaming.

package stanserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	streaming "github.com/nats-io/nats-streaming-server/server"
)

// page takes the answer of a monitoring handler, which is the one way to ask the server
// in the process.
type page struct {
	bytes.Buffer
	header http.Header
	status int
}

func (p *page) Header() http.Header    { return p.header }
func (p *page) WriteHeader(status int) { p.status = status }

// stateOf returns the state of a channel, which is empty when there is none.
func stateOf(s *streaming.StanServer, queue string) (c streaming.Channelz, err error) {
	p := &page{header: http.Header{}, status: http.StatusOK}
	s.HandleChannelsz(p, &http.Request{
		Method: http.MethodGet,
		URL:    &url.URL{Path: streaming.ChannelsPath, RawQuery: url.Values{"channel": {queue}, "subs": {"1"}}.Encode()},
	})
	switch p.status {
	case http.StatusOK:
		err = json.Unmarshal(p.Bytes(), &c)
		return c, err
	case http.StatusNotFound:
		return c, nil
	}
	return c, fmt.Errorf("state of channel %s: status %d", queue, p.status)
}

// unreadBy is the number of messages that the workers of a queue group have not
// acknowledged.
func unreadBy(group string, c streaming.Channelz) int {
	sent, pending, found := uint64(0), 0, false
	for _, s := range c.Subscriptions {
		if s.IsDurable && strings.HasSuffix(s.QueueName, ":"+group) {
			sent, found = max(sent, s.LastSent), true
			pending += s.PendingCount
		}
	}
	if !found {
		return c.Msgs
	}
	if sent >= c.LastSeq {
		return pending
	}
	return min(int(c.LastSeq-sent), c.Msgs) + pending // #nosec G115 -- a number of messages
}
