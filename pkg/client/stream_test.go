package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"queue-worker/pkg/wire"
)

// lined answers with lines and ends as configured.
func lined(body string, end func(http.ResponseWriter)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", wire.MediaLines)
		_, _ = io.WriteString(w, body)
		_ = http.NewResponseController(w).Flush()
		end(w)
	}
}

func TestAnExportThatIsCutIsAnErrorAfterWholeLines(t *testing.T) {
	t.Parallel()
	long := `{"id":"` + strings.Repeat("x", 300_000) + "\"}\n"
	tests := []struct {
		name, body string
		end        func(http.ResponseWriter)
		want       string
		reason     wire.Reason
	}{
		{"whole", "{}\n" + long, func(http.ResponseWriter) {}, "{}\n" + long, ""},
		{"empty", "", func(http.ResponseWriter) {}, "", ""},
		{"broken off", "{}\n{\"id\"", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, "{}\n", ReasonCut},
		{"broken off between lines", "{}\n", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, "{}\n", ReasonCut},
		{"ended by a proxy in a line", "{}\n{\"id\"", func(http.ResponseWriter) {}, "{}\n", ReasonCut},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got bytes.Buffer
			err := exporting(t, serving(t, lined(tt.body, tt.end)), &got)
			if got.String() != tt.want {
				t.Errorf("written were %d bytes, want %d", got.Len(), len(tt.want))
			}
			switch {
			case tt.reason == "" && err != nil:
				t.Errorf("the error is %v, want no error", err)
			case tt.reason != "" && asError(t, err).Reason != tt.reason:
				t.Errorf("the error is %v, want reason %v", err, tt.reason)
			}
		})
	}
	if err := exporting(t, serving(t, answering(200, "text/html", "<html>")), io.Discard); asError(t, err).Reason != ReasonForeign {
		t.Errorf("a page: %v, want reason %v", err, ReasonForeign)
	}
	full := errors.New("disk full")
	if err := exporting(t, serving(t, lined("{}\n", func(http.ResponseWriter) {})), iotestWriter{full}); !errors.Is(err, full) {
		t.Errorf("a full disk: %v, want %v", err, full)
	}
}

type iotestWriter struct{ err error }

func (w iotestWriter) Write([]byte) (int, error) { return 0, w.err }

func TestUnreadableLettersAreCounted(t *testing.T) {
	t.Parallel()
	c := serving(t, lined(`{"id":"1","request":"e30="}`+"\n"+`{"id":"2","error":"lost","request":""}`+"\n"+`{"detail":"\"error\":\"x\"","request":""}`+"\n", func(http.ResponseWriter) {}))
	m, err := c.Export(t.Context(), Filter{}, io.Discard, nil)
	switch {
	case err != nil:
		t.Errorf("moved %+v, %v, want no error", m, err)
	case m.Letters != 3:
		t.Errorf("moved %+v, %v, want letters 3", m, err)
	case m.Unreadable != 1:
		t.Errorf("moved %+v, %v, want unreadable 1", m, err)
	}
}

// importer takes the parts of an import and keeps them.
type importer struct{ parts []string }

func (i *importer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	i.parts = append(i.parts, string(b))
	answer := wire.Imported{Failed: []wire.FailedLine{}}
	for n, line := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n") {
		switch {
		case strings.Contains(line, "stop"):
			problem, _ := json.Marshal(map[string]any{
				"error": "the store is full", "reason": "store_full", "hint": "make room", "imported": answer.Imported, "skipped": answer.Skipped,
				"failed": answer.Failed, "failed_total": len(answer.Failed),
			})
			answering(503, jsonType, string(problem))(w, r)
			return
		case strings.Contains(line, "bad"):
			answer.Failed = append(answer.Failed, wire.FailedLine{Line: n + 1, Error: "bad"})
		case strings.Contains(line, "seen"):
			answer.Skipped++
		default:
			answer.Imported++
		}
	}
	b, _ = json.Marshal(answer)
	answering(200, jsonType, string(b))(w, r)
}

func TestAnImportGoesInPartsAndCountsLinesThrough(t *testing.T) {
	t.Parallel()
	i := &importer{}
	c := serving(t, i.ServeHTTP)
	var lines strings.Builder
	for n := 1; n <= 2*importLines+10; n++ {
		switch n {
		case 5, importLines + 7:
			lines.WriteString("bad\n")
		case 2*importLines + 10:
			lines.WriteString("seen") // without a line end
		default:
			fmt.Fprintf(&lines, "{%d}\n", n)
		}
	}
	var reported []int
	all, err := c.Import(t.Context(), strings.NewReader(lines.String()), func(m Moved) { reported = append(reported, m.Letters) })
	switch {
	case err != nil:
		t.Errorf("imported %+v, %v, want no error", all, err)
	case all.Imported != 2*importLines+7:
		t.Errorf("imported %+v, %v, want imported %v", all, err, 2*importLines+7)
	case all.Skipped != 1:
		t.Errorf("imported %+v, %v, want skipped 1", all, err)
	case all.FailedTotal != 2:
		t.Errorf("imported %+v, %v, want FailedTotal 2", all, err)
	}
	switch {
	case fmt.Sprint(all.Failed) != fmt.Sprint([]wire.FailedLine{{Line: 5, Error: "bad"}, {Line: importLines + 7, Error: "bad"}}):
		t.Errorf("failed %v, reported %v, want fmt.Sprint(all.Failed) %v", all.Failed, reported, fmt.Sprint([]wire.FailedLine{{Line: 5, Error: "bad"}, {Line: importLines + 7, Error: "bad"}}))
	case fmt.Sprint(reported) != "[1000 2000 2010]":
		t.Errorf(`failed %v, reported %v, want fmt.Sprint(reported) "[1000 2000 2010]"`, all.Failed, reported)
	}
	if got := strings.Join(i.parts, ""); got != lines.String()+"\n" {
		t.Errorf("the parts are not the lines: got %v, want %v", got, lines.String()+"\n")
	}
}

func TestPartsOfAnImportAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	i := &importer{}
	line := strings.Repeat("x", importBytes/3) + "\n"
	huge := strings.Repeat("y", importBytes+10) + "\n"
	all, err := serving(t, i.ServeHTTP).Import(t.Context(), strings.NewReader(line+line+line+huge+line), nil)
	switch {
	case err != nil:
		t.Fatalf("%d parts, %+v, %v, want no error", len(i.parts), all, err)
	case all.Imported != 5:
		t.Fatalf("%d parts, %+v, %v, want imported 5", len(i.parts), all, err)
	case len(i.parts) != 4:
		t.Fatalf("%d parts, %+v, %v, want 4 parts", len(i.parts), all, err)
	}
	if len(i.parts[2]) != len(huge) {
		t.Errorf("the long line came with others: got %v, want %d", len(i.parts[2]), len(huge))
	}
}

func TestAnImportThatStopsSaysWhatIsIn(t *testing.T) {
	t.Parallel()
	i := &importer{}
	c := serving(t, i.ServeHTTP)
	all, err := c.Import(t.Context(), strings.NewReader("a\nseen\nbad\nstop\nb\n"), nil)
	switch e := asError(t, err); {
	case e.Reason != "store_full":
		t.Errorf(`%+v, %v, want reason "store_full"`, all, e)
	case all.Imported != 1:
		t.Errorf("%+v, %v, want imported 1", all, e)
	case all.Skipped != 1:
		t.Errorf("%+v, %v, want skipped 1", all, e)
	case all.FailedTotal != 1:
		t.Errorf("%+v, %v, want FailedTotal 1", all, e)
	}
	broken := errors.New("broken pipe")
	all, err = c.Import(t.Context(), io.MultiReader(strings.NewReader("a\nb\nc"), iotest.ErrReader(broken)), nil)
	switch {
	case !errors.Is(err, broken):
		t.Errorf("a source that breaks: %+v, %v, want %v", all, err, broken)
	case all.Imported != 2:
		t.Errorf("a source that breaks: %+v, %v, want imported 2", all, err)
	}
	all, err = c.Import(t.Context(), strings.NewReader(""), nil)
	switch {
	case err != nil:
		t.Errorf("nothing: %+v, %v, want no error", all, err)
	case all.Imported != 0:
		t.Errorf("nothing: %+v, %v, want imported 0", all, err)
	case all.Failed == nil:
		t.Errorf("nothing: %+v, %v, want failed set", all, err)
	}
}
