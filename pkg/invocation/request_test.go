package invocation

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"
)

func TestDecodeWireForms(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, raw            string
		function, path, body string
		callID, callback     string
	}{
		{
			"the gateway of 2021", `{"Header":{"X-Call-Id":["c1"],"X-Callback-Url":["http://user:pw@gw:8080/next?k=v#frag"]},"Host":"h","Body":"aGVsbG8=","Method":"POST","Path":"/v1/job","QueryString":"user=1","Function":"chaos.openfaas-fn","QueueName":"","CallbackUrl":{"Scheme":"http","Opaque":"","User":{},"Host":"gw:8080","Path":"/next","Fragment":"frag","RawQuery":"k=v","RawPath":"","ForceQuery":false}}`,
			"chaos.openfaas-fn", "/v1/job", "hello", "c1", "http://user:pw@gw:8080/next?k=v#frag",
		},
		{"the gateway of 2021, plain", `{"Header":{"X-Call-Id":["c2"]},"Host":"gw","Body":"","Method":"POST","Path":"","QueryString":"","Function":"figlet","QueueName":"","CallbackUrl":null}`, "figlet", "", "", "c2", ""},
		{"empty keys left out", `{"Method":"POST","Function":"figlet"}`, "figlet", "", "", "", ""},
		{"a null body and header", `{"Header":null,"Body":null,"Function":"figlet"}`, "figlet", "", "", "", ""},
		{"keys in another case", `{"header":{"x-call-id":["c"]},"BODY":"aGk=","function":"f"}`, "f", "", "hi", "c", ""},
		{"unknown keys of later gateways", `{"Function":"f","Labels":{"a":"b"},"Environment":{"c":"d"},"New":[1,{"x":null}]}`, "f", "", "", "", ""},
		{"escaped slashes in the body", `{"Function":"f","Body":"\/\/\/\/"}`, "f", "", "\xff\xff\xff", "", ""},
		{"only the URL object", `{"Function":"f","CallbackUrl":{"Scheme":"https","User":{},"Host":"cb.example:8443","Path":"/x","RawQuery":"a=b"}}`, "f", "", "", "", "https://cb.example:8443/x?a=b"},
		{"the callback as a string", `{"Function":"f","CallbackUrl":"http://cb/x"}`, "f", "", "", "", "http://cb/x"},
		{"slashes around the name", `{"Function":"/f/"}`, "f", "", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := Decode([]byte(tt.raw))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r.Body())
			if err != nil {
				t.Fatal(err)
			}
			got := []string{r.Function, r.Path, string(body), r.CallID(), r.CallbackURL}
			want := []string{tt.function, tt.path, tt.body, tt.callID, tt.callback}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("decoded (-want +got):\n%s", d)
			}
			if n := r.BodyLen(); n != int64(len(tt.body)) {
				t.Errorf("BodyLen is %d, want %d", n, len(tt.body))
			}
		})
	}
}

// wireFiles are messages as real gateways have published them.
func wireFiles(tb testing.TB) map[string][]byte {
	tb.Helper()
	files := map[string][]byte{}
	names, err := filepath.Glob("testdata/wire/*.json")
	switch {
	case err != nil:
		tb.Fatalf("no wire files %v, want no error", err)
	case len(names) == 0:
		tb.Fatalf("no wire files %v: got %v, want at least 1 names", err, len(names))
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		files[filepath.Base(name)] = raw
	}
	return files
}

func TestDecodeReadsWhatGatewaysPublished(t *testing.T) {
	t.Parallel()
	want := map[string][]string{ // function, path, body, callback
		"gateway-2021.json":       {"chaos.openfaas-fn", "/v1/job", "hello", "http://user:pw@gateway.openfaas:8080/async-function/next?k=v#frag"},
		"gateway-2021-plain.json": {"figlet", "", "", ""},
		"gateway-2026.json":       {"chaos-fn", "/a/b", "hello", "http://127.0.0.1:9/cb"},
	}
	for name, raw := range wireFiles(t) {
		r, err := Decode(raw)
		if err != nil {
			t.Fatalf("%s: %v, want nil", name, err)
		}
		body, err := io.ReadAll(r.Body())
		if err != nil {
			t.Fatalf("%s: %v, want nil", name, err)
		}
		if d := cmp.Diff(want[name], []string{r.Function, r.Path, string(body), r.CallbackURL}); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, raw string
		want      error
	}{
		{"nothing", ``, ErrUndecodable},
		{"no JSON", `hello`, ErrUndecodable},
		{"a list", `[]`, ErrUndecodable},
		{"a cut message", `{"Function":"f","Body":"aGVs`, ErrUndecodable},
		{"two values", `{"Function":"f"}{}`, ErrUndecodable},
		{"a header that is a string", `{"Function":"f","Header":{"A":"b"}}`, ErrUndecodable},
		{"a body that is not base64", `{"Function":"f","Body":"%%%%"}`, ErrUndecodable},
		{"a body of a wrong length", `{"Function":"f","Body":"aGVsbG8"}`, ErrUndecodable},
		{"padding in the middle", `{"Function":"f","Body":"aG==bG8="}`, ErrUndecodable},
		{"no function", `{"Body":""}`, ErrNoFunction},
		{"an empty name", `{"Function":""}`, ErrNoFunction},
		{"a path as name", `{"Function":"../system"}`, ErrNoFunction},
		{"a query in the name", `{"Function":"f?x=1"}`, ErrNoFunction},
		{"a name that is too long", `{"Function":"` + strings.Repeat("a", MaxName+1) + `"}`, ErrNoFunction},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := Decode([]byte(tt.raw)); !errors.Is(err, tt.want) {
				t.Errorf("error is %v, want %v", err, tt.want)
			}
		})
	}
}

func TestCallbackURLErrorKeepsCredentialsOut(t *testing.T) {
	t.Parallel()
	_, err := Decode([]byte(`{"Function":"f","CallbackUrl":"http://user:CANARY@ho st/"}`))
	switch {
	case err == nil:
		t.Errorf("error is %v; it must be one, and hold no credentials, want an error", err)
	case strings.Contains(err.Error(), "CANARY"):
		t.Errorf("error is %v; it must be one, and hold no credentials, want no \"CANARY\" in it", err)
	}
}

// FuzzDecode holds Decode against the struct that publishers marshal: whatever
// the reference decoder accepts is accepted here, with the same content.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"Header":{"A":["b","c"]},"Host":"h","Body":"aGVsbG8=","Method":"POST","Path":"/p","QueryString":"q=1","Function":"fn","QueueName":"q","CallbackUrl":{"Scheme":"http","Host":"h"}}`))
	for _, raw := range wireFiles(f) {
		f.Add(raw)
	}
	f.Add([]byte(`{"Function":"f","Body":null,"body":"aGk="}`))
	f.Add([]byte("{\"Function\":\"f\",\"Body\":\"aG\\nk=\"}"))
	f.Add([]byte(`{"Function":"f","Body":[104,105]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := Decode(raw)
		var want types.QueueRequest
		if refErr := json.Unmarshal(raw, &want); refErr != nil || errors.Is(err, ErrNoFunction) || errors.Is(err, errEnvelope) {
			return
		}
		if !ValidName(strings.Trim(want.Function, "/")) {
			return
		}
		if err != nil {
			t.Fatalf("refused what encoding/json accepts: %v, want nil", err)
		}
		body, err := io.ReadAll(got.Body())
		if err != nil || string(body) != string(want.Body) || got.BodyLen() != int64(len(want.Body)) {
			t.Fatalf("body %q (%v, length %d), want %q", body, err, got.BodyLen(), want.Body)
		}
		if got.Path != want.Path || got.QueryString != strings.TrimLeft(want.QueryString, "?") || got.Function != strings.Trim(want.Function, "/") {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		for k, v := range want.Header {
			canonical := http.CanonicalHeaderKey(k)
			values, ok := got.Header[canonical]
			if !ok {
				t.Fatalf("header %q is missing: ok = false, want true", k)
			}
			if len(got.Header) == len(want.Header) && !slices.Equal(values, v) { // no two names fell together
				t.Fatalf("header %q is %q, want %q", k, values, v)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	raw := []byte(`{"Header":{"Accept":["*/*"],"Content-Length":["5"],"Content-Type":["text/plain"],"User-Agent":["curl/7.68.0"],"X-Call-Id":["eb8283f5-1679-48e0-afec-194544b054aa"],"X-Start-Time":["1543915495384346700"]},"Host":"127.0.0.1:8080","Body":"` + strings.Repeat("aGVsbG8h", 43) + `","Method":"POST","Path":"/v1/job","QueryString":"user=1","Function":"chaos.openfaas-fn"}`)
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Decode(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var r types.QueueRequest
			if err := json.Unmarshal(raw, &r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestHeaderValuesDoNotShareMemory(t *testing.T) {
	t.Parallel()
	r, err := Decode([]byte(`{"Function":"f","Header":{"A":["1","2"],"B":[],"C":null,"D":["3",null],"E":["4"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	for k := range r.Header {
		r.Header[k] = append(r.Header[k], "more")
	}
	want := http.Header{"A": {"1", "2", "more"}, "B": {"more"}, "C": {"more"}, "D": {"3", "", "more"}, "E": {"4", "more"}}
	if d := cmp.Diff(want, r.Header); d != "" {
		t.Errorf("header (-want +got):\n%s", d)
	}
}

func TestEveryValueOfALargeHeaderIsItsOwn(t *testing.T) {
	t.Parallel()
	want := http.Header{}
	for n := range 50 { // more than share one piece of memory
		name := fmt.Sprintf("X-%d", n)
		for v := range n % 4 {
			want[name] = append(want[name], fmt.Sprintf("%d of %d", v, n))
		}
	}
	raw, err := json.Marshal(types.QueueRequest{Function: "f", Header: want})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, r.Header); d != "" {
		t.Fatalf("header (-want +got):\n%s", d)
	}
}

func TestAQueryIsReadWithoutTheQuestionMarkBeforeIt(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{"": "", "a=b": "a=b", "?a=b": "a=b", "??a=b": "a=b", "?": "", "a=?b": "a=?b"} {
		raw := []byte(`{"Header":{},"QueryString":"` + written + `","Function":"f"}`)
		decoded, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if decoded.QueryString != want {
			t.Errorf("Decode reads %q as %q, want %q", written, decoded.QueryString, want)
		}
		slow, err := general(raw)
		if err != nil {
			t.Fatal(err)
		}
		if slow.QueryString != want {
			t.Errorf("the general reader reads %q as %q, want %q", written, slow.QueryString, want)
		}
	}
}
