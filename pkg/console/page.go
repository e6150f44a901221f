// File page.go renders pages from their models.

package console

import (
	"bytes"
	"embed"
	"html/template"
	"strings"
	"time"

	"queue-worker/pkg/escape"
)

// Policy is the Content-Security-Policy of every page: nothing but our own style sheet,
// icon and forms.
const Policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Sections are the beginnings of the paths of all pages.
var Sections = []string{"/", DeadPath, strings.TrimSuffix(FunctionPrefix, "/"), InvocationsPath, FindPath, JobsPath}

//go:embed templates
var sources embed.FS

var templates = template.Must(template.ParseFS(sources, "templates/*.html"))

// frame is what every page has.
type frame struct {
	Title   string
	At      string // when it was made
	Version string
	Current string // the page in the navigation
	Acts    bool   // the caller may carry out operations
	May     string // says so
	Notice  string // what was done just before
	Assets  any
}

func newFrame(title string, v Viewer, at time.Time) frame {
	f := frame{Title: title, At: clock(at), Version: v.Version, Acts: v.Acts, May: "Read-only: use the command line to change anything", Notice: did[v.Did], Assets: assets}
	switch {
	case v.ReadOnly:
		f.May = Text(v.Name) + " may only read, and no bodies, answers and results"
	case v.Acts:
		f.May = Text(v.Name) + " may change things"
	}
	return f
}

// clock writes the time of day; "" for the zero time.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("15:04:05")
}

// render executes a template, and shows what would be invisible or change the direction of
// writing. The models are ours, so an error is a bug, which a test of every page finds.
func render(name string, model any) ([]byte, error) {
	var b bytes.Buffer
	w := escape.NewWriter(&b)
	err := templates.ExecuteTemplate(w, name, model)
	w.Flush()
	return b.Bytes(), err
}

// Problem is why a page cannot be shown.
type Problem struct {
	Headline string
	Hint     string
	Command  string // what to type instead; "" for nothing
}

// Page renders a problem.
func (p Problem) Page() ([]byte, error) {
	return render("problem", struct {
		frame
		Problem
	}{newFrame(p.Headline, Viewer{}, time.Time{}), p})
}
