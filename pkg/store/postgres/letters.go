// File letters.go lists the dead letters that match a filter, page by page.

package postgres

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Bounds of one page: letters that one statement reads, and letters that Match is asked about.
const (
	letterStep = 200
	matchMost  = 5_000
)

// Letters reads up to limit dead letters that pass f, in the order of f, beginning after the cursor
// of an earlier page.
func (s *Store) Letters(ctx context.Context, f store.Filter, cursor string, limit int) (store.LetterPage, error) {
	w := letterWalk{s: s, f: &f}
	if cursor != "" {
		b, err := hex.DecodeString(cursor)
		if err != nil || len(b) != placeLen {
			return store.LetterPage{}, store.ErrBadCursor
		}
		p := parsePlace(b)
		w.from = &p
	}
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return store.LetterPage{}, err
	}
	defer done()
	page := store.LetterPage{Next: cursor}
	if limit <= 0 {
		return page, ctx.Err()
	}
	more, err := w.run(ctx, limit, matchMost, func(inv *invocation.Invocation) { page.Letters = append(page.Letters, inv) })
	if err != nil {
		return store.LetterPage{}, err
	}
	if page.Next = ""; more {
		b := binary.BigEndian.AppendUint64(nil, uint64(w.from.since)) // #nosec G115 -- read the same way
		page.Next = hex.EncodeToString(append(b, w.from.id[:]...))
	}
	return page, nil
}

// letterWalk goes over the letters that pass a filter.
type letterWalk struct {
	s    *Store
	f    *store.Filter
	from *place // the latest letter that was looked at; nil for the beginning
}

// run visits up to limit letters, and looks at no more than most. More means that there may be
// others after the latest that it has looked at.
func (w *letterWalk) run(ctx context.Context, limit, most int, visit func(*invocation.Invocation)) (more bool, err error) {
	for looked := 0; looked < most; {
		step := letterStep
		if w.f.Match == nil && w.f.CallID == "" {
			step = min(limit+1, letterStep)
		}
		n := 0
		err := w.step(ctx, step, func(inv *invocation.Invocation, raw []byte) {
			if more {
				return
			}
			n++
			passes := (w.f.CallID == "" || inv.CallID == w.f.CallID) && (w.f.Match == nil || w.f.Match(inv, raw))
			if passes && limit == 0 {
				more = true
				return
			}
			w.from = &place{stamp(inv.DiedAt), inv.ID}
			if passes {
				limit--
				visit(inv)
			}
		})
		if err != nil || more || n < step {
			return more, err
		}
		looked += n
	}
	return true, nil
}

// step reads up to n letters that pass what SQL can say of the filter.
func (w *letterWalk) step(ctx context.Context, n int, visit func(inv *invocation.Invocation, raw []byte)) error {
	c, order := conditionOf(w.f), "died, id"
	if w.f.Newest {
		order = "died DESC, id DESC"
	}
	switch {
	case w.from == nil:
	case w.f.Newest:
		c.add("(died, id) < ($%d, $%d)", w.from.since, [16]byte(w.from.id))
	default:
		c.add("(died, id) > ($%d, $%d)", w.from.since, [16]byte(w.from.id))
	}
	raw := "NULL::bytea"
	if w.f.Match != nil {
		raw = "raw"
	}
	c.args = append(c.args, n)
	text := fmt.Sprintf("SELECT id, rec, %s FROM queue_worker.dead WHERE %s ORDER BY %s LIMIT $%d", raw, c, order, len(c.args))
	return w.s.each(ctx, func(rows pgx.Rows) error {
		var id [16]byte
		var rec, raw []byte
		if err := rows.Scan(&id, &rec, &raw); err != nil {
			return err
		}
		inv, err := decode(id, 0, rec)
		if err == nil {
			visit(inv, raw)
		}
		return err
	}, text, c.args...)
}

// conditionOf is what SQL can say of a filter.
func conditionOf(f *store.Filter) *condition {
	c := &condition{}
	c.lane(f.Queue, f.Function)
	if len(f.Reasons) > 0 {
		var reasons []string
		for _, r := range f.Reasons {
			reasons = append(reasons, plainText(string(r)))
		}
		c.add("reason = ANY($%d)", reasons)
	}
	if len(f.Statuses) > 0 {
		var statuses []int32
		for _, n := range f.Statuses {
			statuses = append(statuses, int32(n)) // #nosec G115 -- of HTTP
		}
		c.add("status = ANY($%d)", statuses)
	}
	if !f.Since.IsZero() {
		c.add("died >= $%d", stamp(f.Since))
	}
	if !f.Until.IsZero() {
		c.add("died < $%d", stamp(f.Until))
	}
	if f.CallID != "" {
		c.add("call = $%d", hash64(f.CallID))
	}
	return c
}
