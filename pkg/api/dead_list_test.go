package api

// Paging: exact, and bounded by more than the number of letters.

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// readAll reads the dead set page by page.
func (r *rig) readAll(t testing.TB, limit int) (ids []invocation.ID, pages int) {
	t.Helper()
	for cursor := ""; ; {
		var page listing
		r.get(t, "/v1/dead_set?limit="+strconv.Itoa(limit)+"&cursor="+cursor, &page)
		if len(page.Messages) > limit {
			t.Fatalf("a page has %d letters, the limit is %d", len(page.Messages), limit)
		}
		for _, l := range page.Messages {
			ids = append(ids, l.ID)
		}
		pages++
		if cursor = page.Next; cursor == "" {
			return ids, pages
		}
	}
}

func TestPagesTogetherAreTheWholeDeadSetOldestFirst(t *testing.T) {
	t.Parallel()
	const letters = 101
	r := newRig(t)
	r.bury(t, letters)
	for _, limit := range []int{1, 16, 17, 50, 100, letters, 500} {
		ids, pages := r.readAll(t, limit)
		if len(ids) != letters || pages != (letters+limit-1)/limit {
			t.Errorf("limit %d: %d letters on %d pages", limit, len(ids), pages)
		}
		for i, id := range ids {
			if id != idOf(i) {
				t.Fatalf("limit %d: letter %d is %s", limit, i, id)
			}
		}
	}
}

func TestAPageWithoutALimitHasFifty(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.bury(t, 51)
	var page listing
	r.get(t, "/v1/dead_set", &page)
	if len(page.Messages) != defaultLimit || page.Next == "" {
		t.Errorf("%d letters, next %q", len(page.Messages), page.Next)
	}
}

func TestPagesEndEarlyRatherThanReadOrShowTooMuch(t *testing.T) {
	t.Parallel()
	const letters = 20
	tests := []struct {
		name  string
		size  pageSize
		pages int
	}{
		{"one letter is too much to read", pageSize{shown: 1 << 30, read: 1, chunk: 3, looks: 1}, 7},
		{"one letter is too much to show", pageSize{shown: 1, read: 1 << 30, chunk: 4, looks: 1}, 5},
		{"nothing is too much", pageSize{shown: 1 << 30, read: 1 << 30, chunk: 7, looks: 1}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.api.size = tt.size
			r.bury(t, letters)
			ids, pages := r.readAll(t, 500)
			if len(ids) != letters || pages != tt.pages {
				t.Errorf("%d letters on %d pages, want %d on %d", len(ids), pages, letters, tt.pages)
			}
		})
	}
}

func TestAListingShowsPreviewsOfLargeMessages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.api.size.read, r.api.size.chunk = 2<<20, 2
	for i := range 5 {
		r.put(t, deadAt(i), request(t, types.QueueRequest{Function: "f", Body: bytes.Repeat([]byte{byte(i)}, 1<<20)}))
	}
	got := r.ask(t, http.MethodGet, "/v1/dead_set?limit=500")
	if got.status != http.StatusOK || len(got.body) > 2*(previewBytes*4/3+2048) {
		t.Errorf("status %d, %d bytes", got.status, len(got.body))
	}
	if ids, pages := r.readAll(t, 500); len(ids) != 5 || pages != 3 {
		t.Errorf("%d letters on %d pages", len(ids), pages)
	}
}

func BenchmarkPageOfLargeMessages(b *testing.B) {
	r := newRig(b)
	for i := range 20 {
		r.put(b, deadAt(i), request(b, types.QueueRequest{Function: "f", Body: make([]byte, 8<<20)}))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.page(b.Context(), store.Filter{}, "", maxLimit); err != nil {
			b.Fatal(err)
		}
	}
}

func TestBadParametersAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.bury(t, 1)
	one := "/v1/dead_set/" + idOf(0).String()
	for _, path := range []string{
		"/v1/dead_set?limit=0", "/v1/dead_set?limit=-1", "/v1/dead_set?limit=501", "/v1/dead_set?limit=1.5", "/v1/dead_set?limit=abc",
		"/v1/dead_set?limit=", "/v1/dead_set?limit=%2B5", "/v1/dead_set?limit=99999999999999999999", "/v1/dead_set?limit=1&limit=2",
		"/v1/dead_set?cursor=x", "/v1/dead_set?cursor=00", "/v1/dead_set?cursor=" + strings.Repeat("0", 200),
		"/v1/dead_set?functoin=fn1", "/v1/dead_set?a;b", "/v1/dead_set?%zz",
		one + "?body=yes", one + "?body=", one + "?body=true&body=true", one + "?limit=1",
		"/v1/dead_set/x", "/v1/dead_set/" + idOf(0).String() + "0", "/v1/dead_set/a%2Fb", "/v1/dead_set/%00",
	} {
		if got := r.ask(t, http.MethodGet, path); got.status != http.StatusBadRequest || got.reasonOf(t) != badRequest {
			t.Errorf("GET %s answers %d %s", path, got.status, got.body)
		}
	}
	for _, act := range []string{"POST " + one + "/replay?all=true", "DELETE " + one + "?force", "POST /v1/dead_set/x/replay", "DELETE /v1/dead_set/x"} {
		method, path, _ := strings.Cut(act, " ")
		if got := r.ask(t, method, path); got.status != http.StatusBadRequest || got.reasonOf(t) != badRequest {
			t.Errorf("%s answers %d %s", act, got.status, got.body)
		}
	}
	if ids, _ := r.readAll(t, 500); len(ids) != 1 {
		t.Error("a request that was refused had an effect")
	}
}

func FuzzCursor(f *testing.F) {
	r := newRig(f)
	r.bury(f, 3)
	h := r.routes()
	var page listing
	r.get(f, "/v1/dead_set?limit=1", &page)
	f.Add(page.Next)
	f.Add("")
	f.Add("ff")
	f.Fuzz(func(t *testing.T, cursor string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, arriving("GET /v1/dead_set", func(r *http.Request) {
			r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
			r.URL.RawQuery = url.Values{"cursor": {cursor}}.Encode()
		}))
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Errorf("cursor %q answers %d %s", cursor, w.Code, w.Body)
		}
	})
}

// hugeStore has one letter of a size that fills the budget, and holds back who
// loads it.
type hugeStore struct {
	emptyStore
	loading atomic.Int32
	release chan struct{}
}

func (s *hugeStore) Get(id invocation.ID) (*invocation.Invocation, error) {
	return &invocation.Invocation{ID: id, State: invocation.Dead, Size: rawBytes/2 + 1}, nil
}

func (s *hugeStore) Load(id invocation.ID) (*invocation.Invocation, []byte, error) {
	s.loading.Add(1)
	<-s.release
	inv, err := s.Get(id)
	return inv, nil, err
}

func TestTheBytesThatAnswersHoldAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &hugeStore{release: make(chan struct{})}
		a, err := newAPI(Options{Store: s, Queues: []string{"q"}, Gatherer: noMetrics, Healthy: fine, Ready: fine, AdminOpen: true})
		if err != nil {
			t.Fatal(err)
		}
		h := a.routes()
		answers := make(chan *httptest.ResponseRecorder, 2)
		for range 2 {
			go func() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, arriving("GET /v1/dead_set/"+idOf(0).String()))
				answers <- w
			}()
		}
		synctest.Wait()
		if n := s.loading.Load(); n != 1 {
			t.Errorf("%d are loading at once", n)
		}
		time.Sleep(rawWait)
		if w := <-answers; w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "10" {
			t.Errorf("who waited in vain gets %d %s", w.Code, w.Body)
		}
		close(s.release)
		if w := <-answers; w.Code != http.StatusOK {
			t.Errorf("who was first gets %d %s", w.Code, w.Body)
		}
	})
}

// brokenStore lists one letter and cannot load it.
type brokenStore struct {
	emptyStore
	err error
}

func (s brokenStore) Letters(context.Context, store.Filter, string, int) (store.LetterPage, error) {
	return store.LetterPage{Letters: []*invocation.Invocation{deadAt(0)}}, nil
}

func (s brokenStore) Get(invocation.ID) (*invocation.Invocation, error) { return deadAt(0), nil }

func (s brokenStore) Load(invocation.ID) (*invocation.Invocation, []byte, error) {
	return nil, nil, s.err
}
func (s brokenStore) Replay(context.Context, invocation.ID) error { return s.err }

func TestALetterThatCannotBeReadHidesNoOther(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) { o.Store = brokenStore{err: errors.New("checksum at /data/x is wrong")} })
	var page listing
	r.get(t, "/v1/dead_set", &page)
	if len(page.Messages) != 1 || !page.Messages[0].Unreadable || page.Messages[0].Reason != invocation.AttemptsExhausted {
		t.Errorf("the page is %+v", page)
	}
	got := r.ask(t, http.MethodGet, "/v1/dead_set/"+idOf(0).String())
	if got.status != http.StatusInternalServerError || got.reasonOf(t) != internal || strings.Contains(got.body, "checksum") {
		t.Errorf("alone it answers %d %s", got.status, got.body)
	}
	if n := strings.Count(r.logs.String(), "checksum"); n != 1 {
		t.Errorf("the log has it %d times:\n%s", n, r.logs)
	}
}
