package e2e

// A worker on which every operation of the HTTP surface can be tried.

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// tour makes what an operation needs to be answered well.
type tour struct {
	t     testing.TB
	w     *worker
	began time.Time
	made  int
}

func newTour(t *testing.T) *tour {
	t.Helper()
	s := newStand(t, "result_ttl=1h", "max_retry_attempts=0")
	s.gateway.tell(func(a asked) answer {
		if a.Function == "figlet" {
			return answer{Body: "done", Header: http.Header{"Content-Type": {"text/plain"}}}
		}
		return answer{}
	})
	return &tour{t: t, w: s.worker(), began: time.Now()}
}

// prepare makes what an operation speaks of, and returns it by the names of shell
// variables.
func (o *tour) prepare(operation string) map[string]string {
	o.t.Helper()
	env := map[string]string{"QW": o.w.base}
	switch method, path, _ := strings.Cut(operation, " "); {
	case strings.HasPrefix(path, "/v1/dead_set"):
		env["ID"] = o.letter()
	case strings.HasPrefix(path, "/v1/jobs"):
		env["JOB"] = o.job(path)
	case strings.HasSuffix(path, "/result"):
		env["CALL"] = o.over()
	case strings.HasPrefix(path, "/v1/invocations"), method == http.MethodDelete:
		env["CALL"] = id(o.w.submit(o.t, "/async-function/figlet", "", "X-Delay-Duration", "1h"))
	}
	return env
}

// letter makes a dead letter of figlet.
func (o *tour) letter() string {
	o.t.Helper()
	o.made++
	c := corpseAt(o.t, o.began, o.made, func(c *corpse) { c.Topic, c.Function = "figlet", "figlet" })
	c.Request = []byte(encode(o.t, call("figlet", "hello")))
	if got := o.w.load(o.t, linesOf(o.t, c)); got.Imported != 1 {
		o.t.Fatalf("the import is answered %+v", got)
	}
	return c.ID
}

// job makes a job in the state that an operation needs.
func (o *tour) job(path string) string {
	o.t.Helper()
	for range 50 {
		o.letter()
	}
	j := o.w.plan(o.t, `{"act":"replay","all":true,"rate":1}`)
	if strings.HasSuffix(path, "/pause") || strings.HasSuffix(path, "/resume") {
		j = o.w.steer(o.t, j, "apply")
	}
	if strings.HasSuffix(path, "/resume") {
		j = o.w.steer(o.t, j, "pause")
	}
	return j.ID
}

// over makes an invocation that is over, with a result.
func (o *tour) over() string {
	o.t.Helper()
	m := o.w.submit(o.t, "/async-function/figlet", "hello")
	if code, body := o.w.ask(o.t, http.MethodGet, "/v1/invocations/"+id(m)+"?wait=1m"); code != http.StatusOK || !strings.Contains(body, `"state":"done"`) {
		o.t.Fatalf("it is answered %d %s", code, body)
	}
	return id(m)
}
