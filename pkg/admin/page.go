// File page.go serves the pages of the console. What they say is in pkg/console; their
// documents are those of the API.

package admin

import (
	"compress/gzip"
	"context"
	"net/http"
	"strings"

	"queue-worker/pkg/console"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

// ContentHTML is the type of pages.
const ContentHTML = "text/html; charset=utf-8"

// ShowOverview is the first page.
func (a *Admin) ShowOverview(w http.ResponseWriter, r *http.Request) error {
	p, viewer, err := a.readPage(r, "by", "after")
	if err != nil {
		return err
	}
	after, err := parseLaneCursor(p.text("after"))
	if err != nil {
		return err
	}
	byName, err := p.byName()
	if err != nil {
		return err
	}
	page := a.overview(r.Context(), byName, after)
	page.Viewer = viewer
	return a.writePage(w, r, page.Page)
}

// readPage reads the parameters of a page, and for whom it is made.
func (a *Admin) readPage(r *http.Request, allowed ...string) (params, console.Viewer, error) {
	p, err := readParams(r, append(allowed, console.ParamDid)...)
	v := console.Viewer{Version: a.State().Worker.Version, Name: callerOf(r.Context()), Acts: mayAct(r.Context()), ReadOnly: ReadsOnly(r.Context()), Did: p.text(console.ParamDid)}
	return p, v, err
}

// writePage renders a page and answers with it.
func (a *Admin) writePage(w http.ResponseWriter, r *http.Request, render func() ([]byte, error)) error {
	page, err := render()
	if err != nil {
		return err
	}
	WritePage(w, r, http.StatusOK, page)
	return nil
}

// byName reports whether the functions are in the order of their names.
func (p params) byName() (bool, error) {
	switch p.text("by") {
	case "name":
		return true, nil
	case "":
		if p.has("by") || p.has("after") {
			break
		}
		return false, nil
	}
	return false, respond.Refuse("not an order of functions", "by=name, or nothing for those in trouble first; after goes with by=name")
}

// overview reads once what the page shows.
func (a *Admin) overview(ctx context.Context, byName bool, after invocation.Lane) console.Overview {
	s := a.snapshot()
	status, all := a.status(ctx, s)
	o := console.Overview{Status: status, Total: len(all), ByName: byName, Example: a.Example}
	s.history = true
	if byName {
		o.Functions = s.page(ctx, after, console.PageRows)
		return o
	}
	o.Functions = wire.FunctionList{Functions: console.First(status, all), Others: s.others()}
	for i := range o.Functions.Functions {
		f := &o.Functions.Functions[i]
		h := a.history(invocation.Lane{Queue: f.Queue, Name: f.Topic}, s.now)
		f.History = &h
	}
	return o
}

// WritePage answers with a page, compressed where the client takes that.
func WritePage(w http.ResponseWriter, r *http.Request, status int, page []byte) {
	h := w.Header()
	h.Set("Content-Type", ContentHTML)
	h.Set("Content-Security-Policy", console.Policy)
	h.Set("Referrer-Policy", "same-origin") // with no-referrer, browsers send forms with the Origin null
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Vary", "Accept-Encoding")
	if !TakesGzip(r) {
		w.WriteHeader(status)
		_, _ = w.Write(page) // #nosec G705 -- made by html/template
		return
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	z := gzip.NewWriter(w)
	_, _ = z.Write(page)
	_ = z.Close()
}

// TakesGzip reports whether a client takes a compressed answer. One that names gzip only to
// refuse it gets a plain one.
func TakesGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			return !strings.HasPrefix(strings.ReplaceAll(quality, " ", ""), "q=0")
		}
	}
	return false
}
