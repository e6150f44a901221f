package console

// The pages by keyboard alone.

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// reachable are the elements that the Tab key has to reach, in their order.
const reachable = `[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")]
	.filter(e => e.type !== "hidden" && e.getClientRects().length > 0 && getComputedStyle(e).visibility === "visible")`

// focused describes the element that has the focus and shows it.
const focused = `(e => (e.outerHTML.match(/^<[^>]*>/) || [""])[0] + (getComputedStyle(e).outlineStyle === "none" ? " without an outline" : ""))(document.activeElement)`

func TestEverythingIsReachedByKeyboard(t *testing.T) {
	s := seedOnce(t)
	for name, path := range s.pages() {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			b := open(t, s.base)
			b.goTo(path)
			want := eval[[]string](b, reachable+`.map(e => (e.outerHTML.match(/^<[^>]*>/) || [""])[0])`)
			var got []string
			for range want {
				b.press(kb.Tab)
				got = append(got, eval[string](b, focused))
			}
			if !slices.Equal(got, want) {
				t.Errorf("got the focus on %s, want it on %s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func TestADeadLetterIsFoundByKeyboard(t *testing.T) {
	s := seedOnce(t)
	b := open(t, s.base)
	b.withoutScripts()
	b.goTo("/")
	b.follow("Dead letters")
	b.follow("mail-send.openfaas-fn")
	b.follow(s.dead)
	b.has("Dead after 4 calls", "<script>alert(1)</script>", "<b>mail-send</b> answers 502")
	if text := eval[string](b, `document.body.innerText`); strings.Contains(text, "SECRET") {
		t.Error("got the secret on the page, want it hidden")
	}
}

// press presses a key.
func (b *tab) press(key string) {
	b.t.Helper()
	b.do("press a key", chromedp.KeyEvent(key))
}

// follow presses Tab until a link or button with a text has the focus, then Enter, and waits for the
// next page.
func (b *tab) follow(text string) {
	b.t.Helper()
	for range eval[int](b, reachable+`.length`) {
		b.press(kb.Tab)
		if eval[string](b, `document.activeElement.innerText.trim()`) == text {
			b.leave("press Enter", chromedp.KeyEvent(kb.Enter))
			return
		}
	}
	b.t.Fatalf("got no %q by the Tab key, want it on %s", text, eval[string](b, `document.body.innerText`))
}

// leave does what leads to another page, and waits for that.
func (b *tab) leave(what string, action chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, action); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}
