// File page_dead.go serves the page of the dead set.

package admin

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"queue-worker/pkg/console"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// pageLooks is how often the store looks for dead letters of a page. It looks at a bounded
// number each time.
const pageLooks = 4

// ShowDeadPage is the page of the dead set: its groups, and the dead letters of one of them.
func (a *Admin) ShowDeadPage(w http.ResponseWriter, r *http.Request) error {
	p, viewer, err := a.readPage(r, append([]string{console.ParamGroup, console.ParamCursor}, wire.FilterNames...)...)
	if err != nil {
		return err
	}
	f, err := readFilter(p.filled(), a.Names, time.Now())
	if err != nil {
		return err
	}
	if err := mayFilterBy(r.Context(), wire.Texts(p["header"])); err != nil {
		return err
	}
	groups, err := a.groups(r.Context(), f)
	if err != nil {
		return err
	}
	d := console.DeadSet{Viewer: viewer, At: time.Now(), Query: url.Values(p), Groups: groups, Durable: a.Durable}
	if d.Chosen = chosenGroup(&groups, p.text(console.ParamGroup)); d.Chosen != nil {
		if d.Letters, err = a.newest(r.Context(), within(f, d.Chosen), p.text(console.ParamCursor), console.PageRows); err != nil {
			return err
		}
	}
	return a.writePage(w, r, d.Page)
}

// filled are the parameters that have a value: browsers send the empty inputs of a form too.
func (p params) filled() params {
	some := params{}
	for name, values := range p {
		if values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" }); len(values) > 0 {
			some[name] = values
		}
	}
	return some
}

// chosenGroup is the group with a key; nil when there is none.
func chosenGroup(groups *wire.GroupList, key string) *wire.Group {
	for i := range groups.Groups {
		if g := &groups.Groups[i]; key != "" && console.GroupKey(g) == key {
			return g
		}
	}
	return nil
}

// within is a filter that lets pass what is in a group too, newest first.
func within(f store.Filter, g *wire.Group) store.Filter {
	f.Queue, f.Function, f.Reasons, f.Statuses, f.Newest = g.Queue, g.Topic, []invocation.Reason{invocation.Reason(g.Reason)}, []int{g.Status}, true
	return f
}

// newest reads up to limit dead letters without their messages.
func (a *Admin) newest(ctx context.Context, f store.Filter, cursor string, limit int) (*wire.LetterPage, error) {
	l := &wire.LetterPage{Next: cursor, Durable: a.Durable}
	for looks := pageLooks; looks > 0 && len(l.Letters) < limit; looks-- {
		chunk, err := a.Store.Letters(ctx, f, l.Next, limit-len(l.Letters))
		if err != nil {
			return nil, err
		}
		for _, inv := range chunk.Letters {
			l.Letters = append(l.Letters, letterOf(inv))
		}
		if l.Next = chunk.Next; l.Next == "" {
			break
		}
	}
	return l, nil
}
