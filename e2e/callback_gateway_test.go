package e2e

// Callbacks to the gateway: functions get them, its admin API never.

import (
	"net/http"
	"strings"
	"testing"
)

func TestACallbackCannotDeployFunctions(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"guarded", "strict", "open"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, "callback_policy="+policy, "callback_allow=127.0.0.0/8,::1/128,localhost")
			s.gateway.tell(func(a asked) answer { return answer{Body: string(a.Body)} }) // a function that echoes
			w := s.worker()
			named := strings.Replace(s.gateway.url(), "127.0.0.1", "localhost", 1)
			for _, url := range []string{
				s.gateway.url() + "/system/functions", named + "/system/functions", s.gateway.url() + "/function/f/..%2f..%2fsystem/functions",
				s.gateway.url() + "//function/f", named + "/", s.gateway.url() + "/ui/",
			} {
				m := call("echo", `{"service":"evil","image":"evil"}`, withCallback(url))
				s.broker.publish(t, m)
				switch e := w.posted(t, m, "dead"); {
				case e.text("reason") != "callback_refused":
					t.Errorf(`%s: %v, want reason "callback_refused"`, url, e)
				case !strings.Contains(e.text("detail"), "leads to the gateway"):
					t.Errorf(`%s: %v, want "leads to the gateway" in e.text("detail")`, url, e)
				}
			}
			refused := w.send(t, "/queue/producer", `{"message":"m","callback_url":"`+s.gateway.url()+`/system/functions"}`)
			if refused.Status != http.StatusBadRequest {
				t.Errorf("the producer is answered %d %s, want %d", refused.Status, refused.Body, http.StatusBadRequest)
			}
			byName := w.send(t, "/queue/producer", `{"message":"m","callback_url":"`+named+`/system/functions"}`)
			w.event(t, "the producer's message to be refused", func(e entry) bool {
				return e.text("call_id") == id(byName.message()) && e.text("reason") == "callback_refused"
			})
			for _, path := range []string{"/function/next", "/async-function/next"} {
				m := call("echo", "chained", withCallback(s.gateway.url()+path))
				s.broker.publish(t, m)
				w.posted(t, m, "done")
			}
			w.idle(t) // so nothing can come later
			for _, a := range s.gateway.all() {
				if !strings.HasPrefix(a.URI, "/function/") && !strings.HasPrefix(a.URI, "/async-function/") || strings.Contains(a.URI, "..") {
					t.Errorf("the gateway was asked for %s %s", a.Method, a.URI)
				}
			}
		})
	}
}
