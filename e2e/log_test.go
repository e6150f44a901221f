package e2e

// What the log says, and what it never says.

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestOneLineTellsAnAttemptAndWhatComesNext(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=1", "initial_retry_wait=30ms")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	m := call("fn1", "")
	s.broker.publish(t, m)
	w.next(t, m, "dead")
	attempts := w.attempts()
	if len(attempts) != 2 {
		t.Fatalf("there are %d lines for two attempts: %v, want 2 attempts", len(attempts), attempts)
	}
	for i, want := range []map[string]any{
		{"level": "INFO", "call_id": id(m), "function": "fn1", "status": 500.0, "retry": "0/1", "next": "retry", "wait": "30ms"},
		{"level": "WARN", "call_id": id(m), "function": "fn1", "status": 500.0, "retry": "1/1", "next": "dead", "reason": "attempts_exhausted"},
	} {
		for key, value := range want {
			if attempts[i][key] != value {
				t.Errorf("attempt %d has %s=%v, want %v", i, key, attempts[i][key], value)
			}
		}
		switch _, err := time.ParseDuration(attempts[i].text("duration")); {
		case err != nil:
			t.Errorf("attempt %d has the duration %q and the id %q: got %v, want no error", i, attempts[i].text("duration"), attempts[i].text("id"), err)
		case attempts[i].text("id") == "":
			t.Errorf(`attempt %d has the duration %q and the id %q, want attempts[i].text("id") not empty`, i, attempts[i].text("duration"), attempts[i].text("id"))
		}
	}
	answered := s.gateway.of(m)[0].Done
	switch at, err := time.Parse(time.RFC3339Nano, attempts[0].text("at")); {
	case err != nil:
		t.Errorf("the retry is announced for %s: got %v, want no error", attempts[0].text("at"), err)
	case at.Sub(answered) < 30*time.Millisecond:
		t.Errorf("the retry is announced for %s, want at.Sub(answered) at least %v", attempts[0].text("at"), 30*time.Millisecond)
	}
}

// TestNoSecretIsEverLogged sends canaries everywhere, lets everything go wrong that
// can, at debug level, and looks for them in all that the program says.
func TestNoSecretIsEverLogged(t *testing.T) {
	t.Parallel()
	const canary = "CANARY"
	for _, encoding := range []string{"console", "json"} {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, "debug=true", "max_retry_attempts=1", "initial_retry_wait=10ms", "upstream_timeout=1s")
			s.env = append(s.env, "http_listen_address=127.0.0.1:0", "log_encoding="+encoding)
			s.gateway.tell(func(a asked) answer {
				evil := answer{Body: canary + "-answer", Header: http.Header{"X-Out": {canary + "-out"}, "Set-Cookie": {canary + "-set"}, "Location": {"http://" + canary + ".example/"}}}
				switch a.Function {
				case "fails":
					evil.Status = 500
				case "final":
					evil.Status = 404
				case "hangs-up":
					evil.Hangup = true
				case "slow":
					evil.Delay = time.Hour
				case "redirects":
					evil.Status = 302
				}
				return evil
			})
			p := launch(t, plainBinary, s.env)
			secret := func(m *message) {
				m.Header["Authorization"] = []string{"Bearer " + canary + "-auth"}
				m.Header["Cookie"] = []string{"a=" + canary + "-cookie"}
				m.Header["X-Api-Key"] = []string{canary + "-key"}
				m.QueryString, m.Body = "token="+canary+"-query", []byte(canary+"-body")
			}
			for _, fn := range []string{"good", "fails", "final", "hangs-up", "slow", "redirects"} {
				for _, url := range []string{
					"http://u:" + canary + "-pass@" + s.gateway.addr + "/" + canary + "-path?q=" + canary + "-cq",
					"http://u:" + canary + "-pass@127.0.0.1:1/" + canary + "-path?q=" + canary + "-cq",
					"http://u:" + canary + "-pass@169.254.169.254/" + canary + "-path?q=" + canary + "-cq",
					"ftp://u:" + canary + "-pass@" + s.gateway.addr + "/" + canary + "-path",
					"http://u:" + canary + "-pass@%zz/" + canary + "-path",
				} {
					s.broker.publishRaw(t, encode(t, call(fn, "", secret, withCallback(url))))
				}
			}
			for _, raw := range []string{
				canary, `{"` + canary + `":`, `{"Function":"` + canary + ` x"}`, `{"Function":"fn","Body":"` + canary + `!"}`,
				`{"Function":"fn","Header":{"X":["` + canary + `\r\n"]}}`, `{"Function":"fn","Header":{"` + canary + ` ":["x"]}}`,
				`{"Function":"fn","Path":"/../` + canary + `"}`, `{"Function":"fn","QueryString":"` + canary + ` "}`,
				`{"Function":"fn","CallbackUrl":"http://u:` + canary + `@%zz"}`, `{"Function":"fn","CallbackUrl":{"Host":` + canary + `}}`,
			} {
				s.broker.publishRaw(t, raw)
			}
			last := call("last", "")
			s.broker.publish(t, last)
			p.line(t, "the last call", func(l string) bool { return strings.Contains(l, id(last)) && strings.Contains(l, "done") })
			p.idleLog(t, s)
			for l := range strings.Lines(p.out.String()) {
				for _, form := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary + "-body"))[:7]} {
					if strings.Contains(l, form) {
						t.Errorf("the log has the line %s, want no %q in it", l, form)
					}
				}
			}
		})
	}
}

// idleLog waits until every function has been called as often as it can be.
func (p *process) idleLog(t testing.TB, s *stand) {
	t.Helper()
	s.gateway.awaitThat(t, "all attempts", func(all []asked) bool {
		n := map[string]int{}
		for _, a := range all {
			if a.Function != "" && !a.Done.IsZero() {
				n[a.Function]++
			}
		}
		return n["good"] == 5 && n["fails"] == 10 && n["final"] == 5 && n["hangs-up"] == 10 && n["slow"] == 10 && n["redirects"] == 5
	})
}
