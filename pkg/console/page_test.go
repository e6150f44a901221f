package console

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"queue-worker/pkg/wire"
)

// hostile are texts that callers, functions and operators choose.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' style='x`, `javascript:alert(1)`, `{{.}}`, `</title><b>`,
	"\u202egnp.exe", "nul\x00\xff", "<!--", strings.Repeat("<b>", 20000),
}

// named is a state in which every text is s.
func named(s string) Overview {
	st := well()
	st.Worker.Version, st.Worker.Source.URL, st.Worker.Source.Error, st.Worker.Source.Paused, st.Worker.Gateway = s, s, s, s, wire.GatewayStatus{URL: s, Error: s}
	st.Store.Path, st.Store.Error, st.Store.Full = s, s, s
	st.Worker.Queues = []wire.QueueStatus{{Name: s}, {Name: s}}
	all := troubled()
	for i := range all {
		f := &all[i]
		f.Function, f.Queue, f.Breaker.Cause = s, s, s
		if f.Paused != nil {
			f.Paused.Reason, f.Paused.Author = s, s
		}
		if f.LastError != nil {
			f.LastError.Cause = s
		}
	}
	o := overviewOf(State{Status: st, Functions: all, Jobs: []wire.Job{{ID: s, Act: s, State: wire.JobStopped, StateReason: s}}})
	o.Example, o.Functions.Next, o.ByName = s, s, true
	o.Functions.Others = []wire.Others{{Queue: s}}
	return o
}

// pages are all pages that show a text of others.
func pages(s string) map[string]func() ([]byte, error) {
	empty := named(s)
	empty.Functions.Functions, empty.Total = nil, 0
	empty.Status.Store = emptyStore()
	return map[string]func() ([]byte, error){
		"overview": named(s).Page, "empty": empty.Page, "problem": Problem{Headline: s, Hint: s, Command: s}.Page,
		"dead": deadSetOf(s).Page, "invocation": letterOf(s).Page, "invocations": invocationsOf(s).Page, "function": functionOf(s).Page,
		"jobs": jobsOf(s).Page, "plan": jobOf(s, wire.JobPlanned).Page, "job": jobOf(s, wire.JobStopped).Page,
		"question": DropQuestion(acting(s), now, letterOf(s).Invocation).Page,
	}
}

// shape are the elements and the names of the attributes of a page.
func shape(t *testing.T, page []byte) []string {
	t.Helper()
	all := []string{}
	for z := html.NewTokenizer(bytes.NewReader(page)); z.Next() != html.ErrorToken; {
		token := z.Token()
		if token.Type != html.StartTagToken && token.Type != html.SelfClosingTagToken {
			if token.Type == html.CommentToken {
				all = append(all, "comment")
			}
			continue
		}
		all = append(all, token.Data)
		for _, a := range token.Attr {
			all = append(all, token.Data+" "+a.Key)
			harmless(t, a)
		}
	}
	return all
}

// harmless holds that an attribute runs nothing and leads to our own paths only.
func harmless(t *testing.T, a html.Attribute) {
	t.Helper()
	if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
		t.Errorf("got the attribute %s=%q, want none", a.Key, a.Val)
	}
	if (a.Key == "href" || a.Key == "src" || a.Key == "action") && a.Val != "" && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") {
		t.Errorf("got %s=%q, want a path of this server", a.Key, a.Val)
	}
}

func TestHostileTextsStayText(t *testing.T) {
	t.Parallel()
	for name, page := range pages("figlet") {
		b, err := page()
		if err != nil {
			t.Fatal(err)
		}
		want := shape(t, b)
		for i, text := range hostile {
			b, err := pages(text)[name]()
			if err != nil {
				t.Fatal(err)
			}
			if got := shape(t, b); !slices.Equal(got, want) {
				t.Errorf("%s, text %d: got %d elements and attributes, want %d, those of a harmless text", name, i, len(got), len(want))
			}
			if bytes.ContainsAny(b, "\x00\u202e") || bytes.Contains(b, []byte("\u202e")) {
				t.Errorf("%s, text %d: got an invisible character, want it as an escape", name, i)
			}
		}
	}
}

// own are the sources of this package.
var own = os.DirFS(".")

// TestNoTypeSkipsEscaping: html/template does not escape values of these types.
func TestNoTypeSkipsEscaping(t *testing.T) {
	t.Parallel()
	unsafe := regexp.MustCompile(`template\.(HTML|JS|URL|CSS|Srcset)`)
	files, err := fs.Glob(own, "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := fs.ReadFile(own, file)
		if err != nil {
			t.Fatal(err)
		}
		if hit := unsafe.Find(b); hit != nil && !strings.HasSuffix(file, "_test.go") {
			t.Errorf("%s: got %s, want text that is escaped", file, hit)
		}
	}
}

func TestThePolicyAllowsNoScript(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(Policy, part) {
			t.Errorf("got %q, want it to have %q", Policy, part)
		}
	}
	if strings.Contains(Policy, "unsafe") || strings.Contains(Policy, "script-src") {
		t.Errorf("got %q, want no scripts", Policy)
	}
}

// compressed is the size of a text as it is sent.
func compressed(t *testing.T, b []byte) int {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Len()
}

func TestPagesAndAssetsAreSmall(t *testing.T) {
	t.Parallel()
	plain, sent := 0, 0
	for _, a := range Assets() {
		plain, sent = plain+len(a.Content), sent+compressed(t, a.Content)
	}
	if plain > 60<<10 {
		t.Errorf("got %d bytes of assets, want at most 60 KiB", plain)
	}
	if sent > 20<<10 {
		t.Errorf("got %d bytes of compressed assets, want at most 20 KiB", sent)
	}
	var all []wire.Function
	for i := range 1000 {
		all = append(all, with(quiet(fmt.Sprintf("function-%d.namespace-%d", i, i%7)), func(f *wire.Function) {
			f.Ready, f.Dead, f.Rate = i*17%9000, i*31%4000, float64(i*13%700)/10
		}))
	}
	page, err := overviewOf(stateOf(well(), append(all, troubled()...)...)).Page()
	if err != nil {
		t.Fatal(err)
	}
	if got := compressed(t, page); got > 14<<10 {
		t.Errorf("got a page of %d bytes compressed, want at most 14 KiB", got)
	}
}

func TestAPageOfThousandsShowsFiftyFunctions(t *testing.T) {
	t.Parallel()
	all := troubled()
	for i := range 200 {
		all = append(all, quiet(fmt.Sprintf("f-%d", i)))
	}
	page, err := overviewOf(stateOf(well(), all...)).Page()
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(page, []byte(`<th scope="row">`)); got != PageRows {
		t.Errorf("got %d rows, want %d", got, PageRows)
	}
	for _, want := range []string{"50 of 206, those in trouble first", `href="/?by=name"`} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("got no %q on the page, want it", want)
		}
	}
	if first, second := bytes.Index(page, []byte(`<th scope="row"><a href="/functions/resize-image`)), bytes.Index(page, []byte(`<th scope="row"><a href="/functions/mail-send`)); first > second {
		t.Error("got mail-send before resize-image, want the unreachable function first")
	}
}

func TestATitleCountsWhatIsCritical(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]State{
		"(2) Overview": stateOf(well(), troubled()...), "Overview": stateOf(well(), quiet("f")),
	} {
		page, err := overviewOf(s).Page()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(page, []byte("<title>"+want+" · queue-worker</title>")) {
			t.Errorf("got %.300s, want the title %q", page, want)
		}
	}
}

func TestAnEmptyPageSaysWhatToTry(t *testing.T) {
	t.Parallel()
	s := stateOf(well())
	s.Status.Store, s.Status.Worker.History = emptyStore(), hour(3)
	s.Status.Worker.Started = now.Add(-3 * time.Minute)
	o := overviewOf(s)
	for example, want := range map[string]string{
		"chaos-fn": `curl -i http://gateway:8080/function/chaos-fn/set -d &#39;{&#34;status&#34;:500}&#39;`,
		"":         "curl -i http://gateway:8080/async-function/NAME -d hello",
	} {
		o.Example = example
		page, err := o.Page()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("example %q: got no %q, want it", example, want)
		}
	}
}
