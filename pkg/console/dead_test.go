package console

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"queue-worker/pkg/wire"
)

// deadSetOf is a page of the dead set in which every text of others is s.
func deadSetOf(s string) DeadSet {
	g := wire.Group{
		Function: s, Topic: s, Queue: "faas-request", Reason: "attempts_exhausted", Status: 502, Count: 298, Bytes: 610 << 10, Replayed: 3,
		First: now.Add(-16 * time.Minute), Last: now.Add(-14 * time.Second),
	}
	other := g
	other.Function, other.Topic, other.Reason, other.Status, other.Last = "", "", "malformed", 0, now.Add(-50*time.Hour)
	d := DeadSet{
		Viewer: acting(s), At: now, Durable: true, Query: url.Values{"function": {s}, "header": {"X-Tenant: " + s}, "in": {s}},
		Groups: wire.GroupList{Groups: []wire.Group{g, other}, Total: 300}, Chosen: &g, Letters: &wire.LetterPage{Next: s},
	}
	for range 3 {
		d.Letters.Letters = append(d.Letters.Letters, letterOf(s).Letter.Letter)
	}
	return d
}

// letterOf is a dead letter with ten calls, in which every text of others is s.
func letterOf(s string) Invocation {
	l := wire.Letter{
		ID: "019c0a06-1f54-7b60-a7c1-53b3d0d8c5e2", CallID: s, Kind: "callback", Source: "gateway", Queue: s, Function: s, Topic: s, Target: s, Origin: s,
		Reason: "attempts_exhausted", Detail: s, Status: 502, Retries: 10, Omitted: 2, Replays: 1, First: now.Add(-16 * time.Minute), Died: now.Add(-time.Minute), Size: 1900,
	}
	at := l.First
	for i := range 8 {
		a := wire.Attempt{At: at, Status: 502, Duration: 1.2}
		switch i {
		case 2:
			a.Cause, a.Status, a.Duration = "timeout", 503, 30
		case 4:
			a.Status = 429
		}
		l.Attempts = append(l.Attempts, a)
		at = at.Add(2 * time.Minute)
	}
	d := &wire.LetterDetails{Letter: l, Answer: &wire.Answer{At: now, Status: 502, Type: s, Body: strings.ToValidUTF8(s, "?"), Truncated: true}}
	policy := policyOf(s)
	return Invocation{
		Viewer: acting(s), At: now, Letter: d, WithBody: true,
		Request: &wire.Request{ID: l.ID, Path: s, Query: "hidden", Headers: http.Header{"X-Note": {s}, s: {"1"}}, Message: []byte(s), MessageSize: 9},
		Invocation: wire.Invocation{
			ID: l.ID, CallID: s, Kind: "callback", Source: "gateway", Queue: s, Function: s, Topic: s, Target: s, Origin: s, State: wire.StateDead, DelayIgnored: s,
			Reason: l.Reason, Detail: s, Status: 502, Retries: 10, Omitted: 2, Replays: 1, First: l.First, Died: l.Died, Size: 1900, Attempts: l.Attempts, Policy: &policy, HasResult: true,
		},
		Callbacks: []wire.Invocation{{ID: s, Target: s, State: wire.StateReady}},
	}
}

// has holds that a page has texts.
func has(t *testing.T, page []byte, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !bytes.Contains(page, []byte(text)) {
			t.Errorf("got no %q on the page, want it", text)
		}
	}
}

func TestDeadSetShowsGroupsFirst(t *testing.T) {
	t.Parallel()
	page, err := deadSetOf("mail-send").Page()
	if err != nil {
		t.Fatal(err)
	}
	has(t, page,
		"300 dead letters in 2 groups with this filter", "502, retries used up", "no function", "14 s ago", "28 Nov 00:47", "3 died again after replays",
		`href="/dead?function=mail-send&amp;header=X-Tenant%3A&#43;mail-send&amp;in=attempts_exhausted%7C502%7Cfaas-request%7Cmail-send#letters"`,
		`cursor=mail-send`, `href="/invocations/019c0a06-1f54-7b60-a7c1-53b3d0d8c5e2"`, `value="mail-send"`,
		"queue-worker dead ls --order newest --reason attempts_exhausted --status 502 --function mail-send",
	)
	if bytes.Index(page, []byte("<caption>Groups")) > bytes.Index(page, []byte(`id="letters"`)) {
		t.Error("got the dead letters before the groups, want the groups first")
	}
}

func TestAnEmptyDeadSet(t *testing.T) {
	t.Parallel()
	page, err := DeadSet{At: now}.Page()
	if err != nil {
		t.Fatal(err)
	}
	has(t, page, "<h1 id=\"h\">No dead letters</h1>", "The store is in memory: they end with this process.")
}

func TestWordsOfACommandAreQuoted(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"mail-send": "mail-send", "url:h:443": "url:h:443", "a b": "'a b'", "$(x)": "'$(x)'", "it's": `'it'\''s'`} {
		if got := quote(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestFiftyDeadLettersAreASmallPage(t *testing.T) {
	t.Parallel()
	d := deadSetOf("mail-send")
	d.Groups.Groups, d.Letters.Letters = nil, nil
	for i := range 200 {
		d.Groups.Groups = append(d.Groups.Groups, wire.Group{Function: fmt.Sprintf("function-%d", i*37), Topic: "f", Queue: "faas-request", Reason: "non_retryable", Status: 400 + i%100, Count: i * 91, Bytes: int64(i) * 7919, First: now, Last: now})
	}
	for i := range 50 {
		l := letterOf("mail-send").Letter.Letter
		l.ID = fmt.Sprintf("019c0a06-1f54-7b60-%04x-53b3d0d8c5e2", i*2749)
		d.Letters.Letters = append(d.Letters.Letters, l)
	}
	page, err := d.Page()
	if err != nil {
		t.Fatal(err)
	}
	if got := compressed(t, page); got > 14<<10 {
		t.Errorf("got a page of %d bytes compressed, want at most 14 KiB", got)
	}
}
