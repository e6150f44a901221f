// File dead.go reads, replays and drops dead letters.

package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"queue-worker/pkg/wire"
)

// Filter says which dead letters are meant. The zero value means every one.
type Filter = wire.Filter

// queryOf is a filter as parameters of a listing.
func queryOf(f Filter) url.Values {
	q := url.Values{}
	for name, value := range map[string]string{
		"function": string(f.Function), "queue": string(f.Queue), "reason": strings.Join(f.Reasons, ","), "status": strings.Join(f.Statuses, ","),
		"since": string(f.Since), "until": string(f.Until), "call_id": string(f.CallID),
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(f.Headers) > 0 {
		q["header"] = f.Headers
	}
	return q
}

// Letter is a dead letter.
type Letter struct {
	Document `json:"-"`
	wire.LetterDetails
}

// LetterPage is a page of the dead set.
type LetterPage struct {
	Document `json:"-"`
	wire.LetterPage
}

func (p *LetterPage) items() []wire.Letter { return p.Letters }
func (p *LetterPage) next() string         { return p.Next }

// Letters lists dead letters, oldest first, at most limit of them (0: all). The
// last value has an error when the listing was interrupted.
func (c *Client) Letters(ctx context.Context, f Filter, limit int) iter.Seq2[*LetterPage, error] {
	return pages[LetterPage, wire.Letter](ctx, c, "/v1/dead_set", queryOf(f), limit)
}

// Newest is Letters, newest first.
func (c *Client) Newest(ctx context.Context, f Filter, limit int) iter.Seq2[*LetterPage, error] {
	q := queryOf(f)
	q.Set("order", "newest")
	return pages[LetterPage, wire.Letter](ctx, c, "/v1/dead_set", q, limit)
}

// Groups are the groups of a dead set, the largest first.
type Groups struct {
	Document `json:"-"`
	wire.GroupList
}

// Groups counts dead letters.
func (c *Client) Groups(ctx context.Context, f Filter) (*Groups, error) {
	g := &Groups{}
	return g, c.read(ctx, get("/v1/dead_set/groups", queryOf(f)), g)
}

// Letter reads one dead letter, with its whole message or the beginning of it.
func (c *Client) Letter(ctx context.Context, id string, whole bool) (*Letter, error) {
	l := &Letter{}
	q := url.Values{}
	if whole {
		q.Set("body", strconv.FormatBool(true))
	}
	return l, c.read(ctx, get("/v1/dead_set/"+segment(id), q), l)
}

// Acted is what has become of an invocation.
type Acted struct {
	Document `json:"-"`
	wire.Acted
}

// Replay makes one dead letter ready to be called at once; with force also a callback of an outcome
// before a replay.
func (c *Client) Replay(ctx context.Context, id string, force bool) (*Acted, error) {
	a := &Acted{}
	q := act(http.MethodPost, "/v1/dead_set/"+segment(id)+"/replay", http.StatusOK)
	if force {
		q.query = url.Values{"force": {strconv.FormatBool(true)}}
	}
	return a, c.read(ctx, q, a)
}

// Drop removes one dead letter for good.
func (c *Client) Drop(ctx context.Context, id string) (*Acted, error) {
	a := &Acted{}
	return a, c.read(ctx, act(http.MethodDelete, "/v1/dead_set/"+segment(id), http.StatusOK), a)
}
