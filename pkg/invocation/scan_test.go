package invocation

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"
)

// general reads raw without the scanner.
func general(raw []byte) (*Request, error) {
	r := &Request{}
	var callback *url.URL
	if err := r.walk(raw, &callback); err != nil {
		return nil, err
	}
	return r.finish(callback)
}

func TestScannerReadsWhatGatewaysPublish(t *testing.T) {
	t.Parallel()
	made, err := json.Marshal(types.QueueRequest{
		Header: http.Header{"X-Call-Id": {"c"}, "Accept": {"a&b", "<*>"}, "X-None": {}}, Host: "gw:8080", Method: http.MethodPost,
		Body: []byte("hello"), Path: "/a/ö", QueryString: "a=b&c=d", Function: "f",
		Annotations: map[string]string{"com.openfaas.retry.attempts": "3"}, CallbackURL: &url.URL{Scheme: "http", Host: "cb"},
	})
	if err != nil {
		t.Fatal(err)
	}
	messages := wireFiles(t)
	messages["the struct of the gateway"] = made
	for name, raw := range messages {
		raw = []byte(strings.TrimSpace(string(raw)))
		var callback *url.URL
		if !new(Request).scan(raw, &callback) {
			t.Errorf("%s: left to the general reader: new(Request).scan(raw, &callback) = false, want true\n%s", name, raw)
		}
	}
}

func TestScannerLeavesTheRestToTheGeneralReader(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"an escaped quote":                    `{"Host":"a\","Function":"f"}`,
		"an escape at the end":                `{"Function":"f\`,
		"another escape":                      `{"Function":"f","Path":"\/a"}`,
		"an escaped surrogate":                `{"Function":"f","Path":"\ud800"}`,
		"a key twice":                         `{"Function":"f","Function":"g"}`,
		"a header twice":                      `{"Header":{"A":["1"],"A":["2"]},"Function":"f"}`,
		"a key in another case":               `{"function":"f"}`,
		"an unknown key":                      `{"Function":"f","New":1}`,
		"white space":                         `{"Function": "f"}`,
		"a trailing comma":                    `{"Function":"f",}`,
		"text after the object":               `{"Function":"f"}x`,
		"a control character":                 "{\"Function\":\"f\",\"Path\":\"\n\"}",
		"bytes that are not UTF-8":            "{\"Function\":\"f\",\"Path\":\"\xff\"}",
		"an envelope":                         `{"Function":"f","QueueWorker":{}}`,
		"a body that is not base64":           `{"Function":"f","Body":"%%%%"}`,
		"a callback that is not a URL":        `{"Function":"f","CallbackUrl":{"Host":1}}`,
		"a callback that is not JSON":         `{"Function":"f","CallbackUrl":{x}}`,
		"an object that ends inside of it":    `{"Function":"f","CallbackUrl":{"Host":"}"`,
		"no value":                            `{"Function":}`,
		"nothing":                             ``,
		"a list":                              `[]`,
		"a header value that is not a list":   `{"Header":{"A":"b"},"Function":"f"}`,
		"a header value that is not a string": `{"Header":{"A":[1]},"Function":"f"}`,
	} {
		var callback *url.URL
		if new(Request).scan([]byte(raw), &callback) {
			t.Errorf("%s: the scanner accepted %s: new(Request).scan([]byte(raw), &callback) = true, want false", name, raw)
		}
	}
}

// FuzzScan holds the scanner against the general reader: what it accepts means the same to both.
func FuzzScan(f *testing.F) {
	for _, raw := range wireFiles(f) {
		f.Add([]byte(strings.TrimSpace(string(raw))))
	}
	f.Add([]byte(`{"Header":{"A":["b","c"],"b":[]},"Host":"h","Body":null,"Method":"POST","Path":"/\u0026","Function":"fn","Annotations":{"a":"b"},"CallbackUrl":null}`))
	f.Add([]byte(`{"Host":"a\","Body":"aGk=","Function":"f"}`))
	f.Add([]byte(`{"Function":"f","CallbackUrl":{"Scheme":"http","Host":"h","User":{},"ForceQuery":false}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := &Request{}
		var callback *url.URL
		if !r.scan(raw, &callback) {
			return
		}
		got, gotErr := r.finish(callback)
		want, wantErr := general(raw)
		if (gotErr == nil) != (wantErr == nil) {
			t.Fatalf("the scanner's error is %v, the general reader's %v: gotErr == nil = %v, want %v", gotErr, wantErr, gotErr == nil, wantErr == nil)
		}
		if wantErr != nil && want == nil {
			t.Fatalf("the scanner accepted what the general reader refuses: %v", wantErr)
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(Request{})); d != "" {
			t.Fatalf("the general reader and the scanner differ (-general +scanner):\n%s", d)
		}
	})
}
