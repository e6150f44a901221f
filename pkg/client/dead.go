// File dead.go reads, replays and drops dead letters.

package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Filter says which dead letters are meant. The zero value means every one.
type Filter struct {
	Function string
	Queue    string
	Reasons  []string
	Statuses []string // statuses such as 502, classes such as 5xx
	Since    string   // of when they died: RFC 3339, or an age such as 2h or 7d
	Until    string   // the same; not included
	CallID   string
	Headers  []string // name:value, all of which have to be there
}

// IsZero reports whether the filter means every letter.
func (f Filter) IsZero() bool { return len(f.query()) == 0 }

// query is the filter as parameters of a listing.
func (f Filter) query() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("function", f.Function)
	set("queue", f.Queue)
	set("reason", strings.Join(f.Reasons, ","))
	set("status", strings.Join(f.Statuses, ","))
	set("since", f.Since)
	set("until", f.Until)
	set("call_id", f.CallID)
	if len(f.Headers) > 0 {
		q["header"] = f.Headers
	}
	return q
}

// Attempt is one call of a function or a callback.
type Attempt struct {
	At       time.Time `json:"at"`
	Status   int       `json:"status"` // 0 when no answer came
	Cause    string    `json:"cause"`  // why none came
	Duration float64   `json:"duration_seconds"`
}

// Letter is a dead letter.
type Letter struct {
	Document    `json:"-"`
	ID          string      `json:"id"`
	CallID      string      `json:"call_id"`
	Kind        string      `json:"kind"` // function or callback
	Queue       string      `json:"queue"`
	Function    string      `json:"function"`
	Topic       string      `json:"topic-entity"`
	Target      string      `json:"target"`
	Origin      string      `json:"origin"`
	Reason      string      `json:"reason"`
	Detail      string      `json:"detail"`
	Status      int         `json:"status"`
	Retries     int         `json:"retry-count"`
	Attempts    []Attempt   `json:"attempts"`
	Omitted     int         `json:"attempts_omitted"`
	Crashes     int         `json:"crashes"`
	Replays     int         `json:"replays"`
	First       time.Time   `json:"first_seen"`
	Died        time.Time   `json:"died_at"`
	Size        int64       `json:"size"`
	Unreadable  bool        `json:"unreadable"`
	MessageSize int64       `json:"message_size"`
	MessageCut  bool        `json:"message_cut"`
	MessageRaw  bool        `json:"message_raw"`
	Withheld    bool        `json:"message_withheld"`
	Message     []byte      `json:"message"`
	Path        string      `json:"path"`
	Query       string      `json:"query"`
	Headers     http.Header `json:"headers"`
}

// LetterPage is a page of the dead set.
type LetterPage struct {
	Document `json:"-"`
	Letters  []Letter `json:"messages"`
	Next     string   `json:"next"`
	Durable  bool     `json:"durable"`
	Note     string   `json:"note"`
}

func (p *LetterPage) items() []Letter { return p.Letters }
func (p *LetterPage) next() string    { return p.Next }

// Letters lists dead letters, oldest first, at most limit of them (0: all). The
// last value has an error when the listing was interrupted.
func (c *Client) Letters(ctx context.Context, f Filter, limit int) iter.Seq2[*LetterPage, error] {
	return pages[LetterPage, Letter](ctx, c, "/v1/dead_set", f.query(), limit)
}

// Group counts the dead letters of one function, queue, reason and status.
type Group struct {
	Function string    `json:"function"`
	Topic    string    `json:"topic-entity"`
	Queue    string    `json:"queue"`
	Reason   string    `json:"reason"`
	Status   int       `json:"status"`
	Count    int       `json:"count"`
	Bytes    int64     `json:"bytes"`
	Replayed int       `json:"replayed"` // those that are replayed with force only
	First    time.Time `json:"first_died"`
	Last     time.Time `json:"last_died"`
}

// Groups are the groups of a dead set, the largest first.
type Groups struct {
	Document `json:"-"`
	Groups   []Group `json:"groups"`
	Total    int     `json:"total"`
}

// Groups counts dead letters.
func (c *Client) Groups(ctx context.Context, f Filter) (*Groups, error) {
	g := &Groups{}
	return g, c.read(ctx, get("/v1/dead_set/groups", f.query()), g)
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
	ID       string `json:"id"`
	State    string `json:"state"`
}

// Replay makes one dead letter ready to be called at once.
func (c *Client) Replay(ctx context.Context, id string) (*Acted, error) {
	a := &Acted{}
	return a, c.read(ctx, act(http.MethodPost, "/v1/dead_set/"+segment(id)+"/replay", http.StatusOK), a)
}

// Drop removes one dead letter for good.
func (c *Client) Drop(ctx context.Context, id string) (*Acted, error) {
	a := &Acted{}
	return a, c.read(ctx, act(http.MethodDelete, "/v1/dead_set/"+segment(id), http.StatusOK), a)
}
