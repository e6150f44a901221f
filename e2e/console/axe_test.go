package console

// Accessibility: axe-core looks at a page.

import (
	"fmt"
	"strings"

	"github.com/chromedp/chromedp"
)

// violation is what axe-core has found.
type violation struct {
	ID    string   `json:"id"`
	Help  string   `json:"help"`
	Nodes []string `json:"nodes"`
}

// audit runs axe-core with the rules of WCAG 2.2 AA and of good practice.
const audit = `axe.run(document, {runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}).then(r =>
	r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.slice(0, 3).map(n => n.target.join(" ") + " " + n.html.slice(0, 160))})))`

// accessible fails on each violation of the page as it is shown, and where it is wider than
// the window.
func (b *tab) accessible(what fmt.Stringer) {
	b.t.Helper()
	at := fmt.Sprintf("%s, %v", eval[string](b, `location.pathname + location.search`), what)
	if !eval[bool](b, `typeof axe === "object"`) {
		result(b, "axe", chromedp.Evaluate[chromedp.Void](axe+";undefined"))
	}
	for _, v := range result(b, "axe", chromedp.Evaluate[[]violation](audit, chromedp.EvalAwaitPromise)) {
		b.t.Errorf("%s: got the violation %s (%s) of %s, want none", at, v.ID, v.Help, strings.Join(v.Nodes, "; "))
	}
	if got := eval[string](b, wider); got != "" {
		b.t.Errorf("%s: got a page wider than its window: %s, want it to fit", at, got)
	}
}

// accessibleWithoutScripts is accessible for a tab without JavaScript, which axe-core needs.
func (b *tab) accessibleWithoutScripts(what fmt.Stringer) {
	b.t.Helper()
	b.scripts(true)
	b.do("reload", chromedp.Navigate(eval[string](b, `location.href`)))
	b.accessible(what)
	b.scripts(false)
	b.do("reload", chromedp.Navigate(eval[string](b, `location.href`)))
}

// wider is what makes the page wider than its window, "" when it fits.
const wider = `document.documentElement.scrollWidth <= innerWidth ? "" : innerWidth + " px, page " + document.documentElement.scrollWidth + ": " +
	[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll")).slice(0, 3).map(e => e.outerHTML.slice(0, 160)).join("; ")`
