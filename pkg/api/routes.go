// File routes.go is the table of all operations.

package api

import "net/http"

// access says who may call an operation.
type access int

const (
	open    access = iota // every client
	sender                // those who may send work
	reading               // those who may see what is stored, the read-only account among them
	guarded               // those who may see and change what is stored
	acting                // those of them who may carry out the operations of pages
)

// operation is a method of a path.
type operation struct {
	method, path string
	access       access
	do           handler
}

// handler does an operation. It may fail before it has written anything.
type handler func(http.ResponseWriter, *http.Request) error

const (
	get  = http.MethodGet
	post = http.MethodPost
	del  = http.MethodDelete
)

// table is the whole surface. HEAD is served by GET's handlers.
func (a *api) table() []operation {
	metrics, d, i := plain(a.metrics()), a.Admin, a.Ingest
	return append(a.pages(), []operation{
		{get, "/ping", open, plain(http.HandlerFunc(ping))},
		{get, "/healthz", open, a.healthz},
		{get, "/readyz", open, a.readyz},
		{get, "/openapi.yaml", open, plain(http.HandlerFunc(document))},
		{get, "/metrics", open, metrics},
		{get, "/_metrics", open, metrics}, // where the mailbox and its scrapers had it

		{post, "/async-function/{fn}", sender, i.Submit},
		{post, "/async-function/{fn}/{path...}", sender, i.Submit},
		{post, "/deadletter/{fn}", sender, i.Mail},
		{post, "/queue/producer", sender, i.Produce},
		{post, "/queue/producer/{$}", sender, i.Produce},
		{del, "/async-function/{fn}", guarded, d.CancelCall},

		{get, "/v1/dead_set", reading, d.ListDead},
		{del, "/v1/dead_set", guarded, d.DropOldest},
		{post, "/v1/dead_set/replay", guarded, d.ReplayOldest},
		{get, "/v1/dead_set/groups", reading, d.GroupDead},
		{get, "/v1/dead_set/export", guarded, d.ExportDead},
		{post, "/v1/dead_set/import", guarded, d.ImportDead},
		{post, "/v1/dead_set/plan", guarded, d.PlanDead},
		{get, "/v1/dead_set/{id}", reading, d.ShowDead},
		{del, "/v1/dead_set/{id}", guarded, d.DropDead},
		{post, "/v1/dead_set/{id}/replay", guarded, d.ReplayDead},

		{get, "/v1/jobs", reading, d.ListJobs},
		{get, "/v1/jobs/{id}", reading, d.ShowJob},
		{post, "/v1/jobs/{id}/apply", guarded, d.ApplyJob},
		{post, "/v1/jobs/{id}/pause", guarded, d.PauseJob},
		{post, "/v1/jobs/{id}/resume", guarded, d.ResumeJob},
		{post, "/v1/jobs/{id}/cancel", guarded, d.CancelJob},

		{get, "/v1/invocations", reading, d.ListInvocations},
		{get, "/v1/invocations/{id}", reading, d.ShowInvocation},
		{del, "/v1/invocations/{id}", guarded, d.CancelInvocation},
		{get, "/v1/invocations/{id}/request", reading, d.ShowRequest},
		{get, "/v1/invocations/{id}/result", guarded, d.ShowResult},

		{get, "/v1/status", reading, d.ShowStatus},

		{get, "/v1/functions", reading, d.ListFunctions},
		{get, "/v1/functions/{fn}", reading, d.ShowFunction},
		{get, "/v1/functions/{fn}/due", reading, d.ShowDue},
		{post, "/v1/functions/{fn}/pause", guarded, d.PauseFunction},
		{post, "/v1/functions/{fn}/resume", guarded, d.ResumeFunction},
		{post, "/v1/functions/{fn}/purge", guarded, d.PlanPurge},
		{get, "/v1/functions/{fn}/policy", reading, d.ShowPolicy},
	}...)
}

// plain makes a handler of one that cannot fail.
func plain(h http.Handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error { h.ServeHTTP(w, r); return nil }
}
