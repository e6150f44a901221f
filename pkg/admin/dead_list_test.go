package admin_test

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

	"queue-worker/pkg/admin"
	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// idFrom reads the id of a document.
func idFrom(t testing.TB, s string) invocation.ID {
	t.Helper()
	id, err := invocation.ParseID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// readAll reads the dead set page by page.
func (r *rig) readAll(t testing.TB, limit int) (ids []invocation.ID, pages int) {
	t.Helper()
	for cursor := ""; ; {
		var page wire.LetterPage
		r.Get(t, "/v1/dead_set?limit="+strconv.Itoa(limit)+"&cursor="+cursor, &page)
		if len(page.Letters) > limit {
			t.Fatalf("a page has %d letters, the limit is %d, want at most %d letters", len(page.Letters), limit, limit)
		}
		for _, l := range page.Letters {
			ids = append(ids, idFrom(t, l.ID))
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
	r.Bury(t, letters)
	for _, limit := range []int{1, 16, 17, 50, 100, letters, 500} {
		ids, pages := r.readAll(t, limit)
		switch {
		case len(ids) != letters:
			t.Errorf("limit %d: %d letters on %d pages, want %d", limit, len(ids), pages, letters)
		case pages != (letters+limit-1)/limit:
			t.Errorf("limit %d: %d letters on %d pages, want pages %v", limit, len(ids), pages, (letters+limit-1)/limit)
		}
		for i, id := range ids {
			if id != apitest.IDOf(i) {
				t.Fatalf("limit %d: letter %d is %s, want %v", limit, i, id, apitest.IDOf(i))
			}
		}
	}
}

func TestAPageWithoutALimitHasFifty(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Bury(t, 51)
	var page wire.LetterPage
	r.Get(t, "/v1/dead_set", &page)
	switch {
	case len(page.Letters) != admin.DefaultLimit:
		t.Errorf("%d letters, next %q, want %d letters", len(page.Letters), page.Next, admin.DefaultLimit)
	case page.Next == "":
		t.Errorf("%d letters, next %q, want next not empty", len(page.Letters), page.Next)
	}
}

func TestPagesEndEarlyRatherThanReadOrShowTooMuch(t *testing.T) {
	t.Parallel()
	const letters = 20
	tests := []struct {
		name  string
		size  admin.PageSize
		pages int
	}{
		{"one letter is too much to read", admin.NewPageSize(1<<30, 1, 3, 1), 7},
		{"one letter is too much to show", admin.NewPageSize(1, 1<<30, 4, 1), 5},
		{"nothing is too much", admin.NewPageSize(1<<30, 1<<30, 7, 1), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			*r.Size() = tt.size
			r.Bury(t, letters)
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
	*r.Size() = admin.NewPageSize(4<<20, 2<<20, 2, 4)
	for i := range 5 {
		r.Put(t, apitest.DeadAt(i), apitest.Request(t, types.QueueRequest{Function: "f", Body: bytes.Repeat([]byte{byte(i)}, 1<<20)}))
	}
	got := r.Ask(t, http.MethodGet, "/v1/dead_set?limit=500")
	switch {
	case got.Status != http.StatusOK:
		t.Errorf("status %d, %d bytes, want status %d", got.Status, len(got.Body), http.StatusOK)
	case len(got.Body) > 2*(admin.PreviewBytes*4/3+2048):
		t.Errorf("status %d, %d bytes, want at most %d", got.Status, len(got.Body), 2*(admin.PreviewBytes*4/3+2048))
	}
	switch ids, pages := r.readAll(t, 500); {
	case len(ids) != 5:
		t.Errorf("%d letters on %d pages, want 5", len(ids), pages)
	case pages != 3:
		t.Errorf("%d letters on %d pages, want pages 3", len(ids), pages)
	}
}

func BenchmarkPageOfLargeMessages(b *testing.B) {
	r := newRig(b)
	for i := range 20 {
		r.Put(b, apitest.DeadAt(i), apitest.Request(b, types.QueueRequest{Function: "f", Body: make([]byte, 8<<20)}))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Page(b.Context(), store.Filter{}, "", admin.MaxLimit); err != nil {
			b.Fatal(err)
		}
	}
}

func TestBadParametersAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Bury(t, 1)
	one := "/v1/dead_set/" + apitest.IDOf(0).String()
	for _, path := range []string{
		"/v1/dead_set?limit=0", "/v1/dead_set?limit=-1", "/v1/dead_set?limit=501", "/v1/dead_set?limit=1.5", "/v1/dead_set?limit=abc",
		"/v1/dead_set?limit=", "/v1/dead_set?limit=%2B5", "/v1/dead_set?limit=99999999999999999999", "/v1/dead_set?limit=1&limit=2",
		"/v1/dead_set?cursor=x", "/v1/dead_set?cursor=00", "/v1/dead_set?cursor=" + strings.Repeat("0", 200),
		"/v1/dead_set?functoin=fn1", "/v1/dead_set?a;b", "/v1/dead_set?%zz",
		one + "?body=yes", one + "?body=", one + "?body=true&body=true", one + "?limit=1",
		"/v1/dead_set/x", "/v1/dead_set/" + apitest.IDOf(0).String() + "0", "/v1/dead_set/a%2Fb", "/v1/dead_set/%00",
	} {
		switch got := r.Ask(t, http.MethodGet, path); {
		case got.Status != http.StatusBadRequest:
			t.Errorf("GET %s answers %d %s, want status %d", path, got.Status, got.Body, http.StatusBadRequest)
		case got.ReasonOf(t) != wire.BadRequest:
			t.Errorf("GET %s answers %d %s, want reason %v", path, got.Status, got.Body, wire.BadRequest)
		}
	}
	for _, act := range []string{"POST " + one + "/replay?all=true", "DELETE " + one + "?force", "POST /v1/dead_set/x/replay", "DELETE /v1/dead_set/x"} {
		method, path, _ := strings.Cut(act, " ")
		switch got := r.Ask(t, method, path); {
		case got.Status != http.StatusBadRequest:
			t.Errorf("%s answers %d %s, want status %d", act, got.Status, got.Body, http.StatusBadRequest)
		case got.ReasonOf(t) != wire.BadRequest:
			t.Errorf("%s answers %d %s, want reason %v", act, got.Status, got.Body, wire.BadRequest)
		}
	}
	if ids, _ := r.readAll(t, 500); len(ids) != 1 {
		t.Errorf("a request that was refused had an effect: got %v, want 1", len(ids))
	}
}

func FuzzCursor(f *testing.F) {
	r := newRig(f)
	r.Bury(f, 3)
	h := r.Handler
	var page wire.LetterPage
	r.Get(f, "/v1/dead_set?limit=1", &page)
	f.Add(page.Next)
	f.Add("")
	f.Add("ff")
	f.Fuzz(func(t *testing.T, cursor string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, apitest.Arriving("GET /v1/dead_set", func(r *http.Request) {
			r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
			r.URL.RawQuery = url.Values{"cursor": {cursor}}.Encode()
		}))
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Errorf("cursor %q answers %d %s, want %d or %d", cursor, w.Code, w.Body, http.StatusOK, http.StatusBadRequest)
		}
	})
}

// hugeStore has one letter of a size that fills the budget, and holds back who
// loads it.
type hugeStore struct {
	apitest.EmptyStore
	loading atomic.Int32
	release chan struct{}
}

func (s *hugeStore) Get(_ context.Context, id invocation.ID) (*invocation.Invocation, error) {
	return &invocation.Invocation{ID: id, State: invocation.Dead, Size: admin.RawBytes/2 + 1}, nil
}

func (s *hugeStore) Load(ctx context.Context, id invocation.ID) (*invocation.Invocation, []byte, error) {
	s.loading.Add(1)
	<-s.release
	inv, err := s.Get(context.Background(), id)
	return inv, nil, err
}

func TestTheBytesThatAnswersHoldAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &hugeStore{release: make(chan struct{})}
		h := apitest.Pipe(t, func(o *apitest.Options) { o.Admin.Store = s }).Handler
		answers := make(chan *httptest.ResponseRecorder, 2)
		for range 2 {
			go func() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, apitest.Arriving("GET /v1/dead_set/"+apitest.IDOf(0).String()))
				answers <- w
			}()
		}
		synctest.Wait()
		if n := s.loading.Load(); n != 1 {
			t.Errorf("%d are loading at once, want 1", n)
		}
		time.Sleep(admin.RawWait)
		switch w := <-answers; {
		case w.Code != http.StatusServiceUnavailable:
			t.Errorf("who waited in vain gets %d %s, want code %d", w.Code, w.Body, http.StatusServiceUnavailable)
		case w.Header().Get("Retry-After") != "10":
			t.Errorf(`who waited in vain gets %d %s, want Retry-After "10"`, w.Code, w.Body)
		}
		close(s.release)
		if w := <-answers; w.Code != http.StatusOK {
			t.Errorf("who was first gets %d %s, want %d", w.Code, w.Body, http.StatusOK)
		}
	})
}

// brokenStore lists one letter and cannot load it.
type brokenStore struct {
	apitest.EmptyStore
	err error
}

func (s brokenStore) Letters(context.Context, store.Filter, string, int) (store.LetterPage, error) {
	return store.LetterPage{Letters: []*invocation.Invocation{apitest.DeadAt(0)}}, nil
}

func (s brokenStore) Get(context.Context, invocation.ID) (*invocation.Invocation, error) {
	return apitest.DeadAt(0), nil
}

func (s brokenStore) Load(context.Context, invocation.ID) (*invocation.Invocation, []byte, error) {
	return nil, nil, s.err
}

func (s brokenStore) Act(context.Context, store.Batch) ([]store.Taken, error) { return nil, s.err }

func TestALetterThatCannotBeReadHidesNoOther(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *apitest.Options) { o.Admin.Store = brokenStore{err: errors.New("checksum at /data/x is wrong")} })
	var page wire.LetterPage
	r.Get(t, "/v1/dead_set", &page)
	switch {
	case len(page.Letters) != 1:
		t.Errorf("the page is %+v, want 1 letter", page)
	case !page.Letters[0].Unreadable:
		t.Errorf("the page is %+v, want unreadable", page)
	case page.Letters[0].Reason != string(invocation.AttemptsExhausted):
		t.Errorf("the page is %+v, want reason %q", page, invocation.AttemptsExhausted)
	}
	got := r.Ask(t, http.MethodGet, "/v1/dead_set/"+apitest.IDOf(0).String())
	switch {
	case got.Status != http.StatusInternalServerError:
		t.Errorf("alone it answers %d %s, want status %d", got.Status, got.Body, http.StatusInternalServerError)
	case got.ReasonOf(t) != wire.Internal:
		t.Errorf("alone it answers %d %s, want reason %v", got.Status, got.Body, wire.Internal)
	case strings.Contains(got.Body, "checksum"):
		t.Errorf(`alone it answers %d %s, want no "checksum" in it`, got.Status, got.Body)
	}
	if n := strings.Count(r.Logs.String(), "checksum"); n != 1 {
		t.Errorf("the log has it %d times:\n%s, want 1", n, r.Logs)
	}
}
