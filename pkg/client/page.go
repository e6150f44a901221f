// File page.go reads listings page by page.

package client

import (
	"context"
	"iter"
	"net/url"
	"strconv"

	"queue-worker/pkg/wire"
)

// paged is a page of a listing.
type paged[I any] interface {
	document
	items() []I
	next() string
}

// pages follows "next" until there is none, or limit items have come (0: all).
// Pages may be short or empty although there is more: the server looks at a
// bounded number of entries for each.
func pages[P any, I any, PP interface {
	*P
	paged[I]
}](ctx context.Context, c *Client, path string, query url.Values, limit int) iter.Seq2[*P, error] {
	return func(yield func(*P, error) bool) {
		cursor := query.Get("cursor")
		for left := limit; ; {
			q := url.Values{}
			for name, values := range query {
				q[name] = values
			}
			size := wire.MaxPage
			if limit > 0 {
				size = min(left, wire.MaxPage)
			}
			q.Set("limit", strconv.Itoa(size))
			if cursor != "" {
				q.Set("cursor", cursor)
			}
			page := new(P)
			if err := c.read(ctx, get(path, q), PP(page)); err != nil {
				yield(nil, err)
				return
			}
			if PP(page).next() == cursor && cursor != "" {
				yield(nil, &Error{Problem: wire.Problem{Reason: ReasonForeign, Text: "the listing does not end: a page leads to itself"}})
				return
			}
			cursor = PP(page).next()
			left -= len(PP(page).items())
			if !yield(page, nil) || cursor == "" || limit > 0 && left <= 0 {
				return
			}
		}
	}
}
