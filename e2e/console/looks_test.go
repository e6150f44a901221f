package console

// Every page in every look.

import (
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// seeded is a stand with something of everything, and the ids of it.
type seeded struct {
	*stand
	dead, done, slow, plan string
}

// shared is the stand of all tests that change nothing, and what ends it.
var shared struct {
	sync.Mutex
	*seeded
}

// look returns the stand that is shared by tests that change nothing.
func seedOnce(t *testing.T) *seeded {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.seeded == nil {
		dir, err := os.MkdirTemp("", "queue-worker-console-data-")
		if err != nil {
			t.Fatal(err)
		}
		s, err := startStand(dir)
		if err != nil {
			t.Fatal(err)
		}
		shared.seeded = seed(t, s)
	}
	return shared.seeded
}

// closeShared ends it.
func closeShared() {
	if shared.seeded != nil {
		shared.close()
		_ = os.RemoveAll(shared.dir)
	}
}

// seed fills a stand.
func seed(t *testing.T, s *stand) *seeded {
	t.Helper()
	all := &seeded{stand: s}
	s.functions.set("mail-send", http.StatusBadGateway)
	s.functions.set("geocode", http.StatusBadRequest)
	for range 3 {
		all.dead = s.send(t, "mail-send", `{"order":1}`, "X-Note: "+hostile, "Authorization: Bearer SECRET", "Content-Type: application/json")
	}
	refused := s.send(t, "geocode", hostile)
	all.done = s.send(t, "invoice-pdf", "hello")
	all.slow = s.send(t, "slow", "hello")
	for _, id := range []string{all.dead, refused, all.done} {
		s.await(t, id)
	}
	all.plan = s.planned(t)
	return all
}

// pages are the addresses of all pages, by name.
func (s *seeded) pages() map[string]string {
	return map[string]string{
		"overview": "/", "functions by name": "/?by=name", "dead letters": "/dead", "one group": "/dead?in=attempts_exhausted%7C502%7Cfaas-request%7Cmail-send",
		"nothing with a filter": "/dead?function=other", "dead letter": "/invocations/" + s.dead, "body": "/invocations/" + s.dead + "?body=1",
		"finished": "/invocations/" + s.done, "in flight": "/invocations/" + s.slow, "pending": "/invocations?function=slow",
		"drop": "/invocations/" + s.dead + "/drop", "jobs": "/jobs", "plan": "/jobs/" + s.plan,
		"function": "/functions/mail-send.openfaas-fn", "function in flight": "/functions/slow",
	}
}

func TestPagesInEveryLook(t *testing.T) {
	s := seedOnce(t)
	for i, name := range slices.Sorted(maps.Keys(s.pages())) {
		path, some := s.pages()[name], looks
		if testing.Short() {
			some = looks[i%2 : i%2+1]
		}
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			b := open(t, s.base)
			b.goTo(path)
			for _, l := range some {
				b.show(l)
				b.accessible(l)
			}
		})
	}
}
