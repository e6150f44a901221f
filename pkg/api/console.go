// File console.go serves what the pages of the console load, and problems of pages.

package api

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"slices"
	"strings"

	"queue-worker/pkg/admin"
	"queue-worker/pkg/console"
	"queue-worker/pkg/respond"
)

// pages are the operations of the console. They are not part of openapi.yaml.
func (a *api) pages() []operation {
	if !a.Console {
		return nil
	}
	all := []operation{
		{get, "/{$}", reading, a.Admin.ShowOverview},
		{get, console.DeadPath, reading, a.Admin.ShowDeadPage},
		{get, console.DeadPath + "/{id}", reading, a.Admin.ShowLetterPage},
		{get, console.InvocationsPath, reading, a.Admin.ListInvocationsPage},
		{get, console.InvocationsPath + "/{id}", reading, a.Admin.ShowInvocationPage},
		{get, console.JobsPath, reading, a.Admin.ListJobsPage},
		{get, console.JobsPath + "/{id}", reading, a.Admin.ShowJobPage},
		{get, console.FindPath, reading, a.Admin.FindInvocation},
		{get, console.FunctionPrefix + "{fn}", reading, a.Admin.ShowFunctionPage},
	}
	all = append(all, a.forms()...)
	for _, asset := range console.Assets() {
		all = append(all, operation{get, asset.Path, open, serveAsset(asset)})
	}
	return all
}

// forms are the operations that pages carry out, none unless console_actions allows them.
func (a *api) forms() []operation {
	if !a.ConsoleActions {
		return nil
	}
	d, fn, inv, job := a.Admin, console.FunctionPrefix+"{fn}", console.InvocationsPath+"/{id}", console.JobsPath+"/{id}"
	return []operation{
		{post, fn + "/pause", acting, d.PauseForm},
		{post, fn + "/resume", acting, d.ResumeForm},
		{post, fn + "/purge", acting, d.PurgeForm},
		{get, inv + "/drop", acting, d.AskDrop},
		{post, inv + "/drop", acting, d.DropForm},
		{get, inv + "/cancel", acting, d.AskCancel},
		{post, inv + "/cancel", acting, d.CancelForm},
		{post, inv + "/replay", acting, d.ReplayForm},
		{post, console.DeadPath + "/plan", acting, d.PlanForm},
		{post, job + "/plan", acting, d.ChangePlanForm},
		{post, job + "/apply", acting, d.ApplyForm},
		{post, job + "/pause", acting, d.PauseJobForm},
		{post, job + "/resume", acting, d.ResumeJobForm},
		{post, job + "/cancel", acting, d.CancelJobForm},
	}
}

// serveAsset serves a file of the program. It never changes: its path has its hash.
func serveAsset(asset console.Asset) handler {
	var compressed bytes.Buffer
	z := gzip.NewWriter(&compressed)
	_, _ = z.Write(asset.Content) // a buffer takes everything
	_ = z.Close()
	return func(w http.ResponseWriter, r *http.Request) error {
		h := w.Header()
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("Vary", "Accept-Encoding")
		content := asset.Content
		if admin.TakesGzip(r) {
			h.Set("Content-Encoding", "gzip")
			content = compressed.Bytes()
		}
		respond.Bytes(w, http.StatusOK, asset.Type, content)
		return nil
	}
}

// wantsPage reports whether a request is one of a browser for a page of the console.
func (a *api) wantsPage(r *http.Request) bool {
	return a.Console && isPage(r.URL.Path) && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// isPage reports whether a path is one of a page.
func isPage(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return slices.Contains(console.Sections, "/"+first)
}

// writePage answers with a problem as a page.
func (a *api) writePage(w http.ResponseWriter, r *http.Request, p *respond.Problem) {
	x := console.Problem{Headline: p.Text, Hint: p.Hint}
	if p == problemNotLocal {
		x.Command = "kubectl -n openfaas port-forward deploy/queue-worker 8081"
	}
	page, err := x.Page()
	if err != nil {
		a.log.Error("page not rendered", "error", err)
		p.Write(w)
		return
	}
	p.SetRetryAfter(w)
	admin.WritePage(w, r, p.Status, page)
}
