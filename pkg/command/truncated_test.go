package command

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"queue-worker/pkg/client"
	"queue-worker/pkg/term"
	"queue-worker/pkg/wire"
)

// TestAnAnswerThatWasCutIsCalledSo: on standard error, so that the answer itself stays as it came.
func TestAnAnswerThatWasCutIsCalledSo(t *testing.T) {
	t.Parallel()
	const beginning = "the beginning of an answer"
	for _, tt := range []struct{ header, hint string }{
		{"", ""}, {"true", "max_response_bytes"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(wire.HeaderOutcome, "done")
			if tt.header != "" {
				w.Header().Set(wire.HeaderTruncated, tt.header)
			}
			_, _ = io.WriteString(w, beginning)
		}))
		t.Cleanup(server.Close)
		var out, hints bytes.Buffer
		c, err := client.New(client.Options{Server: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		s := &session{c, &term.Console{Out: &out, Err: &hints}}
		if err := s.writeResult(t.Context(), "an-id"); err != nil {
			t.Fatalf("with header %q: got %v, want no error", tt.header, err)
		}
		if got := out.String(); got != beginning {
			t.Errorf("with header %q: got %q, want the answer as it came", tt.header, got)
		}
		if got := hints.String(); (tt.hint == "") != (got == "") || !strings.Contains(got, tt.hint) {
			t.Errorf("with header %q: got hint %q, want one with %q", tt.header, got, tt.hint)
		}
	}
}

func TestAnInvocationSaysThatItsResultWasCut(t *testing.T) {
	t.Parallel()
	for _, truncated := range []bool{false, true} {
		var out bytes.Buffer
		s := &session{Console: &term.Console{Out: &out, Err: io.Discard}}
		if err := s.showInvocation(&wire.Invocation{ID: "an-id", HasResult: true, Truncated: truncated}); err != nil {
			t.Fatalf("truncated %t: got %v, want no error", truncated, err)
		}
		if got := strings.Contains(out.String(), "truncated"); got != truncated {
			t.Errorf("truncated %t: got %q", truncated, out.String())
		}
	}
}
