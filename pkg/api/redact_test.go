package api

// What must not be shown is not shown, anywhere.

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestHeadersWithSecretsAreHidden(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, value, want string }{
		{"Authorization", "Bearer x", hidden},
		{"Proxy-Authorization", "Basic x", hidden},
		{"Proxy-Anything", "x", hidden},
		{"Www-Authenticate", "Digest x", hidden},
		{"X-Auth-Request-User", "x", hidden},
		{"Cookie", "s=x", hidden},
		{"Set-Cookie", "s=x", hidden},
		{"X-Api-Key", "x", hidden},
		{"Apikey", "x", hidden},
		{"X-Functions-Key", "x", hidden},
		{"Ocp-Apim-Subscription-Key", "x", hidden},
		{"Key", "x", hidden},
		{"X-Gitlab-Token", "x", hidden},
		{"X-Hub-Signature-256", "sha256=x", hidden},
		{"X-Client-Secret", "x", hidden},
		{"X-Password", "x", hidden},
		{"x-lower-case-token", "x", hidden},
		{"Content-Type", "text/plain", "text/plain"},
		{"Idempotency-Key", "order-7", "order-7"},
		{"X-Call-Id", "c", "c"},
		{"X-Forwarded-For", "10.0.0.1", "10.0.0.1"},
		{"Keep-Alive", "5", "5"},
		{"X-Callback-Url", "http://u:p@cb/x?y#z", "http://cb:80"},
		{"Referer", "https://u:p@site:9/x?y", "https://site:9"},
		{"Location", "/relative?x", hidden},
	}
	for _, tt := range tests {
		if got := shownHeader(http.Header{tt.name: {tt.value}})[tt.name]; len(got) != 1 || got[0] != tt.want {
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
		"":                             hidden,
		"ftp://u:p@h/x":                hidden,
		"//u:p@h/x":                    hidden,
		"http:u:p@h/x":                 hidden,
		"http://u:p@/x":                hidden,
		"http://u:p@h:port/":           hidden,
		"http://u:p@ho st/":            hidden,
		"javascript:alert(1)":          hidden,
	} {
		if got := originOf(raw); got != want {
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
		if got := originOf(raw); got != hidden && !originForm.MatchString(got) {
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
	for name, edits := range map[string][]func(*Options){"basic_auth": {withBasicAuth(t)}, "without": nil} {
		r := newRig(t, edits...)
		cast(t, r)
		paths := []string{
			"/v1/dead_set", "/v1/dead_set?limit=1&cursor=CANARY", "/v1/dead_set?CANARY=CANARY", "/v1/dead_set?a=%zzCANARY",
			"/v1/dead_set/CANARY", "/CANARY", "/v1/CANARY/../x", "/ping?CANARY", "/metrics?CANARY", "/readyz", "/healthz",
		}
		for i := range 6 {
			one := "/v1/dead_set/" + idOf(i).String()
			paths = append(paths, one, one+"?body=CANARY", one+"?CANARY", one+"/replay?CANARY", one+"/CANARY")
		}
		for _, path := range paths {
			for _, method := range []string{"GET", "POST", "DELETE", canary} {
				for _, credentials := range []func(*http.Request){as(testUser, testPassword), as(canary, canary), as(testUser, canary)} {
					got := r.ask(t, method, path, credentials, func(r *http.Request) {
						r.Header.Set("Cookie", canary)
						r.Header.Set("X-Api-Key", canary)
						r.Header.Set("Referer", "http://x/?"+canary)
					})
					if shown := got.body + decoded(got.body) + header(got.header); strings.Contains(shown, canary) || strings.Contains(shown, testPassword) {
						t.Errorf("%s: %s %s shows it: %s", name, method, path, shown)
					}
				}
			}
		}
		if strings.Contains(r.logs.String(), canary) || strings.Contains(r.logs.String(), testPassword) {
			t.Errorf("%s: the log shows it:\n%s", name, r.logs)
		}
	}
}

// decoded is what stands in base64 in the messages of an answer.
func decoded(body string) string {
	var page struct {
		Messages []letter `json:"messages"`
		letter
	}
	_ = json.Unmarshal([]byte(body), &page) // an error has no message
	var all strings.Builder
	for _, l := range append(page.Messages, page.letter) {
		b, _ := base64.StdEncoding.DecodeString(l.Message)
		all.Write(b)
	}
	return all.String()
}

func header(h http.Header) string { return url.Values(h).Encode() }
