package dev

import (
	"net/http"
	"strings"
	"testing"
)

func TestPagesOfOtherSitesMayNotPost(t *testing.T) {
	t.Parallel()
	s := startStand(t, nil)
	gw, chaos := s.GatewayURL(), s.ChaosURL()
	for _, tt := range []struct {
		name, host string
		header     []string
		want       int
	}{
		{"no browser", "", nil, http.StatusAccepted},
		{"no browser, under another name", "host.docker.internal:8080", nil, http.StatusAccepted},
		{"a page of its own", "", []string{"Origin: http://" + gw.Host, "Sec-Fetch-Site: same-origin"}, http.StatusAccepted},
		{"a page of its own by name", "localhost:8080", []string{"Origin: http://localhost:8080", "Sec-Fetch-Site: same-origin"}, http.StatusAccepted},
		{"a page of another site", "", []string{"Origin: http://evil.example", "Sec-Fetch-Site: cross-site"}, http.StatusForbidden},
		{"another port of this machine", "", []string{"Origin: http://127.0.0.1:3000", "Sec-Fetch-Site: same-site"}, http.StatusForbidden},
		{"an old browser", "", []string{"Origin: http://evil.example"}, http.StatusForbidden},
		{"a page without an origin", "", []string{"Origin: null"}, http.StatusForbidden},
		{"a name that was made to lead here", "evil.example:8080", []string{"Origin: http://evil.example:8080"}, http.StatusForbidden},
		{"the same in a browser that says so", "evil.example", []string{"Origin: http://evil.example", "Sec-Fetch-Site: same-origin"}, http.StatusForbidden},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for where, base := range map[string]string{"gateway": gw.String() + "/function/chaos-fn", "chaos function": chaos.String()} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/set", strings.NewReader(`{"status":200}`))
				if err != nil {
					t.Fatal(err)
				}
				req.Host = tt.host
				for _, h := range tt.header {
					name, value, _ := strings.Cut(h, ": ")
					if name == "Origin" && where == "chaos function" {
						value = strings.ReplaceAll(value, gw.Host, chaos.Host)
					}
					req.Header.Set(name, value)
				}
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				if res.StatusCode != tt.want {
					t.Errorf("the %s answers %d, want %d", where, res.StatusCode, tt.want)
				}
			}
		})
	}
	if got := must(t, http.MethodGet, gw, "/function/chaos-fn/get", "", "Sec-Fetch-Site: cross-site"); got.status != http.StatusOK {
		t.Errorf("a link is answered %d, want %d", got.status, http.StatusOK)
	}
}
