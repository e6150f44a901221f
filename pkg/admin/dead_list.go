// File dead_list.go lists the dead letters that match a filter page by page: GET /v1/dead_set.

package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// noteInMemory stands beside what does not outlive the process.
const noteInMemory = "the dead set is in memory and gone when the worker ends; set data_dir to keep it"

// pageSize bounds a page by more than its number of letters. When a bound is
// reached the page ends after the chunk in which that happened.
type pageSize struct {
	shown int64 // bytes of JSON, about
	read  int64 // bytes of QueueRequests that are read for the previews
	chunk int   // letters that are read at a time
	looks int   // times that the store looks at as much as it does at once and finds less
}

var defaultPageSize = pageSize{shown: 4 << 20, read: 64 << 20, chunk: 16, looks: 4}

// ListDead is our own listing, or ziggurat's.
func (a *Admin) ListDead(w http.ResponseWriter, r *http.Request) error {
	if isZiggurat(r) {
		return a.peek(w, r)
	}
	return a.listOwn(w, r)
}

func (a *Admin) listOwn(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r, append([]string{"limit", "cursor", paramOrder}, wire.FilterNames...)...)
	if err != nil {
		return err
	}
	limit, err := p.limit(defaultLimit)
	if err != nil {
		return err
	}
	f, err := readFilter(p, a.Names, time.Now())
	if err != nil {
		return err
	}
	if err := mayFilterBy(r.Context(), wire.Texts(p["header"])); err != nil {
		return err
	}
	if f.Newest, err = p.newest(); err != nil {
		return err
	}
	page, err := a.page(r.Context(), f, p.text("cursor"), limit)
	if err != nil {
		return err
	}
	return respond.JSON(w, http.StatusOK, page)
}

// paramOrder is the order of a listing of dead letters.
const paramOrder = "order"

// newest reports whether the latest deaths come first.
func (p params) newest() (bool, error) {
	switch order := p.text(paramOrder); {
	case !p.has(paramOrder), order == "oldest":
		return false, nil
	case order == "newest":
		return true, nil
	}
	return false, respond.Refuse("not an order of dead letters", "order=oldest, which is the default, or order=newest")
}

// page reads up to limit letters from after the cursor.
func (a *Admin) page(ctx context.Context, f store.Filter, cursor string, limit int) (*wire.LetterPage, error) {
	l := &wire.LetterPage{Letters: []wire.Letter{}, Next: cursor, Durable: a.Durable}
	if !a.Durable {
		l.Note = noteInMemory
	}
	for left := a.size; len(l.Letters) < limit && left.shown > 0 && left.read > 0 && left.looks > 0; {
		want := min(left.chunk, limit-len(l.Letters))
		chunk, err := a.Store.Letters(ctx, f, l.Next, want)
		if err != nil {
			return nil, err
		}
		if len(chunk.Letters) < want {
			left.looks--
		}
		if err := a.appendLetters(ctx, l, chunk.Letters, &left); err != nil {
			return nil, err
		}
		if l.Next = chunk.Next; l.Next == "" {
			break
		}
	}
	return l, nil
}

// appendLetters adds a chunk to a page, and takes what it costs off what is left.
func (a *Admin) appendLetters(ctx context.Context, l *wire.LetterPage, chunk []*invocation.Invocation, left *pageSize) error {
	for _, inv := range chunk {
		item, err := a.previewed(ctx, inv)
		if errors.Is(err, store.ErrNotFound) {
			continue // it has left the dead set since
		}
		if err != nil {
			return err
		}
		left.read -= int64(inv.Size)
		left.shown -= weight(&item)
		l.Letters = append(l.Letters, item)
	}
	return nil
}

// previewed is a letter with the beginning of its message. One whose message
// cannot be read is shown without it, so that it hides no others.
func (a *Admin) previewed(ctx context.Context, inv *invocation.Invocation) (wire.Letter, error) {
	l := letterOf(inv)
	err := a.withMessage(ctx, inv, func(_ *invocation.Invocation, m message) error { return m.previewFor(ctx, &l) })
	switch {
	case err == nil, errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrFailed), errors.Is(err, store.ErrClosed),
		errors.Is(err, problemBusy), ctx.Err() != nil:
		return l, err
	}
	l.Unreadable = true // the store has logged why
	return l, nil
}
