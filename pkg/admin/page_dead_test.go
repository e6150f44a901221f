package admin_test

// The pages of the dead set.

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// group is the address of the page with the group of apitest's dead letters chosen.
const group = "/dead?in=attempts_exhausted%7C0%7Cfaas-request%7Cfiglet"

func TestTheDeadSetPageShowsGroupsAndTheNewestDeadLetters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	shows(t, r.page(t, "/dead"), http.StatusOK, "No dead letters")
	r.Bury(t, 60)
	shows(t, r.page(t, "/dead"), http.StatusOK, "60 dead letters in 1 group", "figlet.openfaas-fn", "retries used up")
	first := r.page(t, group)
	shows(t, first, http.StatusOK, "/invocations/"+apitest.IDOf(59).String(), "/invocations/"+apitest.IDOf(10).String(), "Older dead letters")
	if strings.Contains(first.Body, apitest.IDOf(9).String()) {
		t.Error("got the 51st dead letter on the first page, want 50")
	}
	if strings.Index(first.Body, apitest.IDOf(59).String()) > strings.Index(first.Body, apitest.IDOf(58).String()) {
		t.Error("got the older dead letter first, want the newest")
	}
	_, link, _ := strings.Cut(first.Body, `<p class="bar"><a href="`)
	link, _, _ = strings.Cut(link, "#")
	second := r.page(t, strings.ReplaceAll(link, "&amp;", "&"))
	shows(t, second, http.StatusOK, apitest.IDOf(9).String(), apitest.IDOf(0).String())
	if strings.Contains(second.Body, "Older dead letters") {
		t.Error("got a link to a third page, want none")
	}
}

func TestAFilterOfAFormMayHaveEmptyFields(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Bury(t, 2)
	all := "&queue=&status=&since=&until=&call_id=&header=&reason="
	shows(t, r.page(t, "/dead?function=figlet"+all), http.StatusOK, "2 dead letters in 1 group with this filter", `value="figlet"`)
	shows(t, r.page(t, "/dead?function=other"+all), http.StatusOK, "No dead letters with this filter")
	shows(t, r.page(t, "/dead?status=abc"), http.StatusBadRequest, "status is not a list of statuses")
	shows(t, r.page(t, "/dead?x=1"), http.StatusBadRequest, "unknown parameter")
	shows(t, r.page(t, group+"&cursor=zz"), http.StatusBadRequest, "not a cursor")
	shows(t, r.page(t, "/dead?in=gone"), http.StatusOK, "2 dead letters in 1 group")
}

func TestNewestFirstIsAnOrderOfTheListing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Bury(t, 5)
	var got []string
	for path := "/v1/dead_set?order=newest&limit=2"; path != ""; {
		var page wire.LetterPage
		r.Get(t, path, &page)
		for _, l := range page.Letters {
			got = append(got, l.ID)
		}
		if path = ""; page.Next != "" {
			path = "/v1/dead_set?order=newest&limit=2&cursor=" + url.QueryEscape(page.Next)
		}
	}
	want := ""
	for n := 4; n >= 0; n-- {
		want += apitest.IDOf(n).String() + " "
	}
	if all := strings.Join(got, " ") + " "; all != want {
		t.Errorf("got %s, want %s", all, want)
	}
	if a := r.Ask(t, http.MethodGet, "/v1/dead_set?order=best"); a.Status != http.StatusBadRequest {
		t.Errorf("got %d for an unknown order, want 400", a.Status)
	}
}

// countingStore counts what pages read of the dead set.
type countingStore struct {
	store.Store
	letters, groups atomic.Int64
}

func (s *countingStore) Letters(ctx context.Context, f store.Filter, cursor string, limit int) (store.LetterPage, error) {
	page, err := s.Store.Letters(ctx, f, cursor, limit)
	s.letters.Add(int64(len(page.Letters)))
	return page, err
}

func (s *countingStore) Groups(ctx context.Context, f store.Filter) ([]store.Group, error) {
	s.groups.Add(1)
	return s.Store.Groups(ctx, f)
}

func TestPagesReadFewDeadLetters(t *testing.T) {
	t.Parallel()
	counted := &countingStore{}
	r := newRig(t, func(o *apitest.Options) { counted.Store, o.Admin.Store = o.Admin.Store, counted })
	r.Bury(t, 120)
	for i, c := range []struct {
		path            string
		letters, groups int64
	}{{"/", 0, 0}, {"/v1/status", 0, 0}, {"/dead", 0, 1}, {group, 50, 1}, {"/functions/figlet", 0, 0}, {"/invocations?function=figlet", 0, 0}, {"/invocations/" + apitest.IDOf(0).String(), 0, 0}} {
		counted.letters.Store(0)
		counted.groups.Store(0)
		r.page(t, c.path)
		if got, want := fmt.Sprint(counted.letters.Load(), counted.groups.Load()), fmt.Sprint(c.letters, c.groups); got != want {
			t.Errorf("%d, %s: got %s dead letters and walks, want %s", i, c.path, got, want)
		}
	}
}
