package command

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// TestAListingOfFunctionsIsOneDocumentAPage: a listing of everything needs no more memory
// than a page.
func TestAListingOfFunctionsIsOneDocumentAPage(t *testing.T) {
	t.Parallel()
	worker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Get("cursor") == "" {
			_, _ = io.WriteString(w, `{"functions":[{"function":"a","queue":"q"},{"function":"b","queue":"q"}],"next":"b"}`)
			return
		}
		_, _ = io.WriteString(w, `{"functions":[{"function":"c","queue":"q"}],"next":""}`)
	}))
	t.Cleanup(worker.Close)
	got := with([]string{envServer + "=" + worker.URL}, "function", "ls", "-o", "json")
	var pages [][]string
	for d := json.NewDecoder(strings.NewReader(got.stdout)); ; {
		var page struct{ Functions []struct{ Function string } }
		err := d.Decode(&page)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in %q, %s, want no error", err, got.stdout, got.stderr)
		}
		var names []string
		for _, f := range page.Functions {
			names = append(names, f.Function)
		}
		pages = append(pages, names)
	}
	switch {
	case got.code != exitOK:
		t.Errorf("code %d, the documents have %v, want code %v", got.code, pages, exitOK)
	case len(pages) != 2:
		t.Errorf("code %d, the documents have %v, want 2 pages", got.code, pages)
	case !slices.Equal(pages[0], []string{"a", "b"}):
		t.Errorf("code %d, the documents have %v, want %v", got.code, pages, []string{"a", "b"})
	case !slices.Equal(pages[1], []string{"c"}):
		t.Errorf("code %d, the documents have %v, want %v", got.code, pages, []string{"c"})
	}
}

func TestWhatBecomesDueIsOneRowAMinute(t *testing.T) {
	t.Parallel()
	worker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if got, want := r.URL.String(), "/v1/functions/figlet/due?queue=q"; got != want {
			t.Errorf("got a request for %s, want %s", got, want)
		}
		_, _ = io.WriteString(w, `{"from":"2026-11-30T02:47:00Z","step_seconds":60,"due":[0,3,0,12],"whole":false}`)
	}))
	t.Cleanup(worker.Close)
	got := with([]string{envServer + "=" + worker.URL}, "function", "due", "figlet", "--queue", "q")
	if want := "2026-11-30T02:48:00Z\t3\n2026-11-30T02:50:00Z\t12\n"; got.stdout != want {
		t.Errorf("got %q, want %q", got.stdout, want)
	}
	if want := "there are more delayed invocations than could be counted"; !strings.Contains(got.stderr, want) {
		t.Errorf("got %q on stderr, want %q in it", got.stderr, want)
	}
}
