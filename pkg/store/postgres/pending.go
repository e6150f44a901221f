// File pending.go lists what is pending: first what is ready, lane by lane, then what is delayed, by
// due time.

package postgres

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// pendingStep is how many invocations one statement of a listing reads at most.
const pendingStep = 500

// listing is a place in a listing of what is pending.
type listing struct {
	delayed bool
	place
	lane []byte // of what is ready
}

// String is the listing as a cursor.
func (l listing) String() string {
	kind := byte('r')
	if l.delayed {
		kind = 'd'
	}
	b := binary.BigEndian.AppendUint64([]byte{kind}, uint64(l.since)) // #nosec G115 -- read the same way
	return hex.EncodeToString(append(append(b, l.id[:]...), l.lane...))
}

// placeLen is the length of a place in a cursor.
const placeLen = 8 + len(invocation.ID{})

func parseListing(cursor string) (l listing, err error) {
	b, err := hex.DecodeString(cursor)
	if err != nil || len(b) < 1+placeLen || b[0] != 'r' && b[0] != 'd' {
		return l, store.ErrBadCursor
	}
	l.delayed, l.place, l.lane = b[0] == 'd', parsePlace(b[1:1+placeLen]), b[1+placeLen:]
	return l, nil
}

func parsePlace(b []byte) place {
	return place{int64(binary.BigEndian.Uint64(b)), invocation.ID(b[8:])} // #nosec G115 -- any bits do
}

// Pending reads up to limit pending invocations, beginning after the cursor of an earlier page.
func (s *Store) Pending(ctx context.Context, f store.PendingFilter, cursor string, limit int) (page []*invocation.Invocation, next string, err error) {
	from := listing{place: place{since: -1}, delayed: f.State == store.StateDelayed}
	if cursor != "" {
		if from, err = parseListing(cursor); err != nil {
			return nil, "", err
		}
	}
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return nil, "", err
	}
	defer done()
	if limit <= 0 {
		return nil, cursor, ctx.Err()
	}
	for {
		found, last, all, err := s.pendingPage(ctx, f, from, min(limit+1, pendingStep))
		if err != nil {
			return nil, "", err
		}
		for _, inv := range found {
			if len(page) == limit {
				return page, from.String(), nil
			}
			from.place, from.lane = place{stamp(inv.Since), inv.ID}, laneBytes(inv.Lane)
			if f.Until.IsZero() || inv.Accepted.Before(f.Until) {
				page = append(page, inv)
			}
		}
		switch {
		case !all:
			if from = last; len(page) == 0 {
				return page, from.String(), nil // a bounded look found none that passes
			}
		case from.delayed || f.State == store.StateReady:
			return page, "", nil
		default:
			from = listing{delayed: true, place: place{since: -1}}
		}
	}
}

// where is the condition of a statement that is put together, and its arguments.
type condition struct {
	parts []string
	args  []any
}

// add adds a part, with %d for the number of each argument.
func (c *condition) add(part string, args ...any) {
	numbers := make([]any, len(args))
	for i := range args {
		numbers[i] = len(c.args) + i + 1
	}
	c.parts, c.args = append(c.parts, fmt.Sprintf(part, numbers...)), append(c.args, args...)
}

func (c *condition) String() string {
	if len(c.parts) == 0 {
		return "true"
	}
	return strings.Join(c.parts, " AND ")
}

// lane is the part for the names of a lane, "" for any.
func (c *condition) lane(queue, name string) {
	switch {
	case queue != "" && name != "":
		c.add("lane = $%d", laneBytes(invocation.Lane{Queue: queue, Name: name}))
	case queue != "":
		c.add("lane >= $%d AND lane < $%d", append([]byte(queue), 0), append([]byte(queue), 1))
	case name != "":
		c.add(`substr(lane, position('\x00'::bytea in lane) + 1) = $%d`, []byte(name))
	}
}

// pendingPage reads one page; not all means that there may be more of its state after last.
func (s *Store) pendingPage(ctx context.Context, f store.PendingFilter, from listing, limit int) (page []*invocation.Invocation, last listing, all bool, err error) {
	var c condition
	c.lane(f.Queue, f.Function)
	cursor, order := s.due.keep(), "lane, since, id"
	if from.delayed {
		c.add("delayed AND (since, id) > ($%d, $%d)", cursor.since, [16]byte(cursor.id))
		c.add("(since, id) > ($%d, $%d)", from.since, [16]byte(from.id))
		order = "since, id"
	} else {
		c.add("since <= $%d AND (NOT delayed OR (since, id) <= ($%d, $%d))", s.due.high(), cursor.since, [16]byte(cursor.id))
		c.add("(lane, since, id) > ($%d, $%d, $%d)", present(from.lane), from.since, [16]byte(from.id))
	}
	c.args = append(c.args, limit)
	text := fmt.Sprintf("SELECT id, crashes, rec FROM queue_worker.pending WHERE %s ORDER BY %s LIMIT $%d", &c, order, len(c.args))
	last = from
	err = s.each(ctx, func(rows pgx.Rows) error {
		var id [16]byte
		var crashes int
		var rec []byte
		err := rows.Scan(&id, &crashes, &rec)
		if err != nil {
			return err
		}
		inv, err := decode(id, crashes, rec)
		if err == nil {
			page = append(page, inv)
			last.place, last.lane = place{stamp(inv.Since), inv.ID}, laneBytes(inv.Lane)
		}
		return err
	}, text, c.args...)
	return page, last, len(page) < limit, err
}
