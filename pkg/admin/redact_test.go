package admin_test

// What must not be shown is not shown, anywhere.

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"queue-worker/pkg/admin"
	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/wire"
)

func TestHeadersWithSecretsAreHidden(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, value, want string }{
		{"Authorization", "Bearer x", admin.Hidden},
		{"Proxy-Authorization", "Basic x", admin.Hidden},
		{"Proxy-Anything", "x", admin.Hidden},
		{"Www-Authenticate", "Digest x", admin.Hidden},
		{"X-Auth-Request-User", "x", admin.Hidden},
		{"Cookie", "s=x", admin.Hidden},
		{"Set-Cookie", "s=x", admin.Hidden},
		{"X-Api-Key", "x", admin.Hidden},
		{"Apikey", "x", admin.Hidden},
		{"X-Functions-Key", "x", admin.Hidden},
		{"Ocp-Apim-Subscription-Key", "x", admin.Hidden},
		{"Key", "x", admin.Hidden},
		{"X-Gitlab-Token", "x", admin.Hidden},
		{"X-Hub-Signature-256", "sha256=x", admin.Hidden},
		{"X-Client-Secret", "x", admin.Hidden},
		{"X-Password", "x", admin.Hidden},
		{"x-lower-case-token", "x", admin.Hidden},
		{"Content-Type", "text/plain", "text/plain"},
		{"Idempotency-Key", "order-7", "order-7"},
		{"X-Call-Id", "c", "c"},
		{"X-Forwarded-For", "10.0.0.1", "10.0.0.1"},
		{"Keep-Alive", "5", "5"},
		{"X-Callback-Url", "http://u:p@cb/x?y#z", "http://cb:80"},
		{"Referer", "https://u:p@site:9/x?y", "https://site:9"},
		{"Location", "/relative?x", admin.Hidden},
	}
	for _, tt := range tests {
		if got := admin.ShownHeader(http.Header{tt.name: {tt.value}})[tt.name]; len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s: %s is shown as %q, want %q", tt.name, tt.value, got, tt.want)
		}
	}
}

func TestOfAURLOnlySchemeHostAndPortAreShown(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"http://Example.COM/a?b#c":     "http://example.com:80",
		"https://example.com":          "https://example.com:443",
		"https://u:p@example.com:8443": "https://example.com:8443",
		"http://[::1]:9000/x":          "http://[::1]:9000",
		"http://u:p%40@h/x":            "http://h:80",
		"HTTP://h":                     "http://h:80",
		"":                             admin.Hidden,
		"ftp://u:p@h/x":                admin.Hidden,
		"//u:p@h/x":                    admin.Hidden,
		"http:u:p@h/x":                 admin.Hidden,
		"http://u:p@/x":                admin.Hidden,
		"http://u:p@h:port/":           admin.Hidden,
		"http://u:p@ho st/":            admin.Hidden,
		"javascript:alert(1)":          admin.Hidden,
	} {
		if got := admin.OriginOf(raw); got != want {
			t.Errorf("%q is shown as %q, want %q", raw, got, want)
		}
	}
}

var originForm = regexp.MustCompile(`^https?://[^/?#@\\]+:[0-9]+$`)

func FuzzOrigin(f *testing.F) {
	f.Add("http://user:pw@host:80/path?query#fragment")
	f.Add("https://[::1%25eth0]/")
	f.Add("http://a%2fb/")
	f.Fuzz(func(t *testing.T, raw string) {
		if got := admin.OriginOf(raw); got != admin.Hidden && !originForm.MatchString(got) {
			t.Errorf("%q is shown as %q", raw, got)
		}
	})
}

// The cast has a canary in every place where callers keep secrets, and so has
// every request here. None comes out, in an answer or in the log. What a whole
// body is asked for is its sender's own, and left out.
func TestNoSecretIsInAnAnswerOrInTheLog(t *testing.T) {
	t.Parallel()
	const canary = "CANARY"
	for name, edits := range map[string][]func(*apitest.Options){"basic_auth": {apitest.WithBasicAuth(t)}, "without": nil} {
		r := newRig(t, edits...)
		cast(t, r)
		paths := []string{
			"/v1/dead_set", "/v1/dead_set?limit=1&cursor=CANARY", "/v1/dead_set?CANARY=CANARY", "/v1/dead_set?a=%zzCANARY",
			"/v1/dead_set/CANARY", "/CANARY", "/v1/CANARY/../x", "/ping?CANARY", "/metrics?CANARY", "/readyz", "/healthz",
		}
		for i := range 6 {
			one := "/v1/dead_set/" + apitest.IDOf(i).String()
			paths = append(paths, one, one+"?body=CANARY", one+"?CANARY", one+"/replay?CANARY", one+"/CANARY")
		}
		for _, path := range paths {
			for _, method := range []string{"GET", "POST", "DELETE", canary} {
				for _, credentials := range []func(*http.Request){apitest.As(apitest.TestUser, apitest.TestPassword), apitest.As(canary, canary), apitest.As(apitest.TestUser, canary)} {
					got := r.Ask(t, method, path, credentials, func(r *http.Request) {
						r.Header.Set("Cookie", canary)
						r.Header.Set("X-Api-Key", canary)
						r.Header.Set("Referer", "http://x/?"+canary)
					})
					switch shown := got.Body + decoded(got.Body) + header(got.Header); {
					case strings.Contains(shown, canary):
						t.Errorf("%s: %s %s shows it: %s, want no %q in it", name, method, path, shown, canary)
					case strings.Contains(shown, apitest.TestPassword):
						t.Errorf("%s: %s %s shows it: %s, want no %q in it", name, method, path, shown, apitest.TestPassword)
					}
				}
			}
		}
		switch {
		case strings.Contains(r.Logs.String(), canary):
			t.Errorf("%s: the log shows it:\n%s, want no %q in Logs", name, r.Logs, canary)
		case strings.Contains(r.Logs.String(), apitest.TestPassword):
			t.Errorf("%s: the log shows it:\n%s, want no %q in Logs", name, r.Logs, apitest.TestPassword)
		}
	}
}

// decoded is what stands in base64 in the messages of an answer.
func decoded(body string) string {
	var page struct {
		Messages []wire.Letter `json:"messages"`
		wire.Letter
	}
	_ = json.Unmarshal([]byte(body), &page) // an error has no message
	var all strings.Builder
	for _, l := range append(page.Messages, page.Letter) {
		all.Write(l.Message)
	}
	return all.String()
}

func header(h http.Header) string { return url.Values(h).Encode() }
