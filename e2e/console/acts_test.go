package console

// Every operation by keyboard or mouse, without JavaScript.

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func TestAFunctionIsPausedAndResumedByKeyboard(t *testing.T) {
	s := newStand(t)
	s.await(t, s.send(t, "invoice-pdf", "hello"))
	b := open(t, s.base)
	b.withoutScripts()
	b.goTo("/")
	b.follow("invoice-pdf.openfaas-fn")
	b.typeInto("#reason", hostile)
	b.leave("press Enter", chromedp.KeyEvent(kb.Enter))
	b.has("The function was paused.", hostile, "loopback")
	b.accessibleWithoutScripts(look{"light", 1280})
	b.follow("Resume")
	b.has("The function was resumed.")
}

func TestDeadLettersAreReplayedAndDroppedByKeyboard(t *testing.T) {
	s := newStand(t)
	s.functions.set("mail-send", http.StatusBadGateway)
	var ids []string
	for range 3 {
		ids = append(ids, s.send(t, "mail-send", hostile))
	}
	for _, id := range ids {
		s.await(t, id)
	}
	s.functions.set("mail-send", http.StatusOK)
	b := open(t, s.base)
	b.withoutScripts()
	b.goTo("/find?id=" + ids[0])
	b.follow("Replay")
	b.has("The dead letter was replayed.")
	s.await(t, ids[0])
	b.goTo("/invocations/" + ids[0])
	b.has("Done after 5 calls")
	b.goTo("/invocations/" + ids[1])
	b.follow("Drop…")
	b.has("Drop this dead letter for good?")
	b.follow("Drop this dead letter for good")
	b.has("The dead letter was dropped for good.", "1 dead letter in 1 group")
	b.follow("mail-send.openfaas-fn")
	b.follow("Replay this one…")
	b.has("Replay 1 dead letter?", "Nothing has been changed yet.")
	b.accessibleWithoutScripts(look{"light", 1280})
	b.typeInto("#rate", "7")
	b.leave("press Enter", chromedp.KeyEvent(kb.Enter))
	b.has("7 a second")
	b.follow("Replay 1 dead letter")
	b.has("The job was applied.")
	s.await(t, ids[2])
	b.goTo("/jobs")
	b.has("1 of 1")
	b.accessibleWithoutScripts(look{"light", 1280})
}

func TestAPendingInvocationIsCancelledByMouse(t *testing.T) {
	s := newStand(t)
	id := s.send(t, "slow", "hello")
	s.await1(t, id, "running")
	b := open(t, s.base)
	b.withoutScripts()
	b.goTo("/functions/slow")
	b.leave("click", chromedp.Click(chromedp.CSS(`a[href="/invocations/`+id+`"]`)))
	b.leave("click", chromedp.Click(chromedp.CSS(`a[href$="/cancel"]`)))
	b.has("It is in flight: the function may have done its work.")
	b.leave("click", chromedp.Click(chromedp.CSS(`main form button`)))
	b.has("The invocation was cancelled.", "Cancelled")
}

func TestWithoutConsoleActionsThePagesShowOnly(t *testing.T) {
	s := newStand(t, "console_actions=false")
	s.functions.set("mail-send", http.StatusBadRequest)
	id := s.send(t, "mail-send", "hello")
	s.await(t, id)
	b := open(t, s.base)
	for _, path := range []string{"/", "/dead", "/functions/mail-send", "/invocations/" + id} {
		b.goTo(path)
		if n := eval[int](b, `document.querySelectorAll("form[method=post]").length`); n != 0 {
			t.Errorf("%s: got %d forms, want none", path, n)
		}
		b.has("Read-only")
	}
}

// typeInto replaces the text of a field.
func (b *tab) typeInto(selector, text string) {
	b.t.Helper()
	b.do("type into "+selector, chromedp.Clear(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), text))
}

// await1 waits until an invocation is in a state.
func (s *stand) await1(t testing.TB, id, state string) {
	t.Helper()
	for !strings.Contains(s.get(t, "/v1/invocations/"+id), `"state":"`+state+`"`) {
		if t.Context().Err() != nil {
			t.Fatalf("%s is not %s", id, state)
		}
	}
}
