package invocation

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"
)

// encoded makes a QueueRequest with the body "hi".
func encoded(t *testing.T, head types.QueueRequest) []byte {
	t.Helper()
	e, err := NewEncoder(head, 2, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(e, "hi"); err != nil {
		t.Fatal(err)
	}
	raw, err := e.Finish(nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestBytesThatAreNotUTF8AreKept(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		header http.Header
		query  string
		twice  bool // they are written a second time
	}{
		"UTF-8":                {http.Header{"X-Name": {"Jörg", "\ufffd"}, "X-A": {"<&>"}}, "q=ö&a=<", false},
		"a header":             {http.Header{"X-Name": {"J\xf6rg"}, "X-A": {"1"}}, "q=1", true},
		"one of two values":    {http.Header{"X-Name": {"Jörg", "", "J\xf6rg"}}, "", true},
		"the query":            {http.Header{"X-A": {"1"}}, "name=J\xf6rg&all=\x80\xff", true},
		"the callback's URL":   {http.Header{HeaderCallbackURL: {"http://cb/\xf6"}}, "", true},
		"no header, the query": {nil, "\xf6", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := encoded(t, types.QueueRequest{Method: http.MethodPost, Function: "fn", Header: tt.header, QueryString: tt.query})
			r, err := Decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.header, r.Header); d != "" {
				t.Errorf("header (-want +got):\n%s", d)
			}
			if r.QueryString != tt.query {
				t.Errorf("query: got %q, want %q", r.QueryString, tt.query)
			}
			if got := r.Header.Get(HeaderCallbackURL); r.CallbackURL != got {
				t.Errorf("callback: got %q, want %q", r.CallbackURL, got)
			}
			if got := bytes.Contains(raw, []byte(ExactKey)); got != tt.twice {
				t.Errorf("written a second time: got %t, want %t", got, tt.twice)
			}
			if body, err := io.ReadAll(r.Body()); string(body) != "hi" || err != nil {
				t.Errorf("body: got %q, %v, want hi", body, err)
			}
		})
	}
}

func TestTheHeaderOfACallbackKeepsItsBytes(t *testing.T) {
	t.Parallel()
	want := http.Header{"X-Name": {"J\xf6rg"}, "X-A": {"1"}}
	body := bytes.NewBufferString("hi")
	small, err := EncodeCallback("fn", want, body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	large, err := EncodeCallbackFrom("fn", want, 2, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{"small": small, "large": large} {
		r, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, r.Header); d != "" {
			t.Errorf("%s: header (-want +got):\n%s", name, d)
		}
	}
}

func TestBytesThatAreNoBase64AreRefused(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`"x"`, `{"header":{"A":"x"}}`, `{"header":{"A":["!"]}}`, `{"query":1}`, `[]`} {
		if _, err := Decode([]byte(`{"Function":"fn","` + ExactKey + `":` + value + `}`)); err == nil {
			t.Errorf("%s: got no error, want one", value)
		}
	}
}

func TestTheFirstThatIsNotUTF8IsNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		header http.Header
		query  string
		want   string
	}{
		{http.Header{"A": {"ö"}}, "ö", ""},
		{http.Header{"C": {"\xf6"}, "B": {"1", "\xf6"}, "A": {"1"}}, "\xf6", "B"},
		{http.Header{"A": {"1"}}, "\xf6", "the query"},
	} {
		if got := NotUTF8(tt.header, tt.query); got != tt.want {
			t.Errorf("%q, %q: got %q, want %q", tt.header, tt.query, got, tt.want)
		}
	}
}
