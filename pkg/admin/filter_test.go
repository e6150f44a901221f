package admin

// Filters: what both forms say, and what neither takes.

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

var begin = time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC)

var testNames = invocation.Names{DefaultNamespace: "openfaas-fn"}

// queryFilter and bodyFilter read a filter in its two forms.
func queryFilter(query string) (store.Filter, error) {
	p, err := readParams(httptest.NewRequest(http.MethodGet, "/?"+query, nil), wire.FilterNames...)
	if err != nil {
		return store.Filter{}, err
	}
	return readFilter(p, testNames, begin)
}

func bodyFilter(body string) (store.Filter, error) {
	var f wire.Filter
	if err := decodeJSON([]byte(body), &f); err != nil {
		return store.Filter{}, err
	}
	return storeFilter(f, testNames, begin)
}

// requestOf is a QueueRequest as it is stored.
func requestOf(t *testing.T, q types.QueueRequest) []byte {
	t.Helper()
	raw, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// class is all statuses of a class.
func class(n int) (all []int) {
	for i := range 100 {
		all = append(all, n*100+i)
	}
	return all
}

func TestAQueryAndJSONAreTheSameFilter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, query, body string
		want              store.Filter
	}{
		{"nothing is everything", "", `{}`, store.Filter{}},
		{"a function", "function=figlet", `{"function":"figlet"}`, store.Filter{Function: "figlet"}},
		{"a function with the default namespace", "function=figlet.openfaas-fn", `{"function":"figlet.openfaas-fn"}`, store.Filter{Function: "figlet"}},
		{"a function of another", "function=figlet.staging", `{"function":"figlet.staging"}`, store.Filter{Function: "figlet.staging"}},
		{"a callback host", "function=url:10.0.0.1:80", `{"function":"url:10.0.0.1:80"}`, store.Filter{Function: "url:10.0.0.1:80"}},
		{"a queue", "queue=q1", `{"queue":"q1"}`, store.Filter{Queue: "q1"}},
		{"a reason", "reason=poison", `{"reason":"poison"}`, store.Filter{Reasons: []invocation.Reason{invocation.Poison}}},
		{"reasons", "reason=poison,malformed", `{"reason":["poison","malformed"]}`, store.Filter{Reasons: []invocation.Reason{invocation.Poison, invocation.Malformed}}},
		{"a status", "status=500", `{"status":500}`, store.Filter{Statuses: []int{500}}},
		{"a status as text", "status=500", `{"status":"500"}`, store.Filter{Statuses: []int{500}}},
		{"a class", "status=5xx", `{"status":"5xx"}`, store.Filter{Statuses: class(5)}},
		{"statuses and a class", "status=500,429,5xx", `{"status":[429,"5xx"]}`, store.Filter{Statuses: append([]int{429}, class(5)...)}},
		{"no attempt", "status=0", `{"status":0}`, store.Filter{Statuses: []int{0}}},
		{
			"times", "since=2026-03-04T05:00:00Z&until=2026-03-04T07:00:00.5%2B01:00", `{"since":"2026-03-04T05:00:00Z","until":"2026-03-04T06:00:00.5Z"}`,
			store.Filter{Since: time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC), Until: time.Date(2026, 3, 4, 6, 0, 0, 5e8, time.UTC)},
		},
		{"an age", "since=2h", `{"since":"2h"}`, store.Filter{Since: begin.Add(-2 * time.Hour)}},
		{"days", "since=7d&until=1d12h", `{"since":"7d","until":"36h"}`, store.Filter{Since: begin.Add(-168 * time.Hour), Until: begin.Add(-36 * time.Hour)}},
		{"a call id", "call_id=a%20b", `{"call_id":"a b"}`, store.Filter{CallID: "a b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for form, read := range map[string]func() (store.Filter, error){
				"query": func() (store.Filter, error) { return queryFilter(tt.query) },
				"JSON":  func() (store.Filter, error) { return bodyFilter(tt.body) },
			} {
				if got, err := read(); err != nil || cmp.Diff(tt.want, got) != "" {
					t.Errorf("as %s: %v, -want +got\n%s", form, err, cmp.Diff(tt.want, got))
				}
			}
		})
	}
}

func TestFiltersThatMeanNothingAreRefusedInBothForms(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 1<<10+1)
	queries := []string{
		"function=", "function=a/b", "function=a%20b", "function=-a", "function=" + long, "function=a&function=b", "queue=", "call_id=", "call_id=" + long,
		"reason=", "reason=poisson", "reason=poison,", "reason=,poison", "reason=POISON", "reason=poison&reason=malformed",
		"status=", "status=abc", "status=-1", "status=99", "status=1000", "status=xx", "status=5xxx", "status=05x", "status=5x5", "status=+50", "status=%2050", "status=1.5", "status=5e2",
		"since=", "since=yesterday", "since=-2h", "since=%2B2h", "since=12", "since=99999d", "since=2026-03-04", "since=1d1d", "since=d", "since=-1d", "until=0x10h",
		"since=1h&until=2h", "since=1h&until=1h", "since=2026-03-04T05:00:00+01:00",
		"header=", "header=x", "header=:%20x", "header=a%20b:%20c", "header=a:%00", "header=a:%0d%0ab", "header=" + strings.Repeat("a:b&header=", maxFilterHeaders) + "a:b",
		"functoin=a", "header=a:b&headers=c:d",
	}
	for _, q := range queries {
		if f, err := queryFilter(q); err == nil {
			t.Errorf("the query %.60s is taken as %+v: got %v, want an error", q, f, err)
		} else if p, ok := err.(*respond.Problem); !ok || p.Status != http.StatusBadRequest || p.Hint == "" {
			t.Errorf("the query %.60s: %v", q, err)
		}
	}
	bodies := []string{
		`{"function":""}`, `{"function":null}`, `{"function":7}`, `{"function":["a"]}`, `{"function":{"a":1}}`, `{"function":true}`,
		`{"queue":null}`, `{"call_id":12}`, `{"since":2}`, `{"since":null}`, `{"until":""}`,
		`{"reason":null}`, `{"reason":[]}`, `{"reason":[null]}`, `{"reason":[""]}`, `{"reason":[["poison"]]}`, `{"reason":7}`, `{"reason":{}}`, `{"reason":"poison","reason":"malformed"}`,
		`{"status":null}`, `{"status":[]}`, `{"status":true}`, `{"status":1.5}`, `{"status":-1}`, `{"status":1e2}`, `{"status":99999999999999999999}`, `{"status":[500,null]}`,
		`{"header":{"a":"b"}}`, `{"header":7}`, `{"header":[]}`, `{"header":null}`,
		`{"Function":"a"}`, `{"functions":"a"}`, `{"callId":"a"}`, `{"function":"a"}{}`, `{"function":"a",}`, `[]`, `null`, `7`, `"a"`, `{`, ``, "{\"function\":\"a\xff\"}",
	}
	for _, b := range bodies {
		if f, err := bodyFilter(b); err == nil {
			t.Errorf("the body %s is taken as %+v: got %v, want an error", b, f, err)
		} else if p, ok := err.(*respond.Problem); !ok || p.Status != http.StatusBadRequest || p.Hint == "" {
			t.Errorf("the body %s: %v", b, err)
		}
	}
}

func TestHeadersMatchByNameInAnyCaseAndByTheWholeValue(t *testing.T) {
	t.Parallel()
	raw := requestOf(t, types.QueueRequest{Function: "f", Header: http.Header{
		"X-Tenant": {"one", "Two: three"}, "x-odd-case": {"a"}, "Authorization": {"Bearer CANARY"}, "X-Empty": {""},
	}})
	tests := []struct {
		name    string
		headers []string
		want    bool
	}{
		{"the value", []string{"X-Tenant: one"}, true},
		{"without a blank", []string{"X-Tenant:one"}, true},
		{"the name in another case", []string{"x-TENANT: one"}, true},
		{"stored in another case", []string{"X-Odd-Case: a"}, true},
		{"any of the values", []string{"X-Tenant: Two: three"}, true},
		{"the value in another case", []string{"X-Tenant: One"}, false},
		{"a part of the value", []string{"X-Tenant: on"}, false},
		{"another name", []string{"X-Tenan: one"}, false},
		{"an empty value", []string{"X-Empty:"}, true},
		{"an empty value that is not there", []string{"X-Tenant:"}, false},
		{"a secret one", []string{"Authorization: Bearer CANARY"}, true},
		{"two", []string{"X-Tenant: one", "Authorization: Bearer CANARY"}, true},
		{"two of which one is wrong", []string{"X-Tenant: one", "Authorization: Bearer"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := queryFilter(url.Values{"header": tt.headers}.Encode())
			if err != nil {
				t.Fatal(err)
			}
			body, err := json.Marshal(wire.Filter{Headers: tt.headers})
			if err != nil {
				t.Fatal(err)
			}
			g, err := bodyFilter(string(body))
			if err != nil {
				t.Fatal(err)
			}
			switch got := f.Match(nil, raw); {
			case got != tt.want:
				t.Errorf("it matches: %v, want %v", got, tt.want)
			case g.Match(nil, raw) != got:
				t.Errorf("it matches: %v, want g.Match(nil, raw) %v", got, got)
			}
			if f.Match(nil, []byte("not JSON")) || f.Match(nil, nil) {
				t.Error("what cannot be decoded has headers")
			}
		})
	}
}

func TestAFilterIsShownWithoutSecretsAndFixedInTime(t *testing.T) {
	t.Parallel()
	f := wire.Filter{Function: "f", Since: "2h", Headers: wire.Texts{"Authorization: Bearer CANARY", "x-api-key:CANARY", "X-Tenant: one", "X-Callback-Url: http://h/CANARY"}}
	b, err := json.Marshal(shownFilter(fixedFilter(f, begin)))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"function":"f","since":"2026-03-04T03:06:07.123456789Z",` +
		`"header":["Authorization: [hidden]","x-api-key: [hidden]","X-Tenant: one","X-Callback-Url: http://h:80"]}`
	if string(b) != want {
		t.Errorf("it is shown as %s, want %v", b, want)
	}
	if !slices.Contains(f.Headers, "Authorization: Bearer CANARY") {
		t.Errorf(`showing it has changed it: got %v, want "Authorization: Bearer CANARY" in it`, f.Headers)
	}
	early, _ := storeFilter(f, testNames, begin)
	late, err := storeFilter(fixedFilter(f, begin), testNames, begin.Add(time.Hour))
	switch {
	case err != nil:
		t.Errorf("fixed, it begins at %s, then at %s, %v, want no error", early.Since, late.Since, err)
	case !late.Since.Equal(early.Since):
		t.Errorf("fixed, it begins at %s, then at %s, %v, want since %v", early.Since, late.Since, err, early.Since)
	}
	switch {
	case f.IsZero():
		t.Error("IsZero is wrong, want f not zero")
	case !(wire.Filter{}).IsZero():
		t.Error("IsZero is wrong, want wire.Filter{} zero")
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{`{"status":[429,"5xx"],"header":"a: b"}`, `{"since":"1d2h","until":"2026-03-04T05:06:07Z"}`, `{"function":"f","reason":"poison"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var one, two wire.Filter
		if decodeJSON([]byte(body), &one) != nil {
			return
		}
		if _, err := storeFilter(one, testNames, begin); err != nil {
			return
		}
		b, err := json.Marshal(one)
		if err != nil {
			t.Fatal(err)
		}
		switch err := decodeJSON(b, &two); {
		case err != nil:
			t.Errorf("%s comes back as %+v, %v, want no error", b, two, err)
		case cmp.Diff(one, two) != "":
			t.Errorf("%s comes back as %+v, %v, want cmp.Diff(one, two) empty", b, two, err)
		}
	})
}
