package console

// A tab of the browser that notes what no page may cause.

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is a window of the browser. At the end of the test it fails on every message in the
// console, every violation of the Content-Security-Policy and every request to another host.
type tab struct {
	t      *testing.T
	ctx    context.Context
	origin string
	refuse string // a part of messages that the test expects

	mu     sync.Mutex
	faults []string
}

// look is how a page is shown.
type look struct {
	theme string
	width int64
}

func (l look) String() string { return fmt.Sprintf("%s %d", l.theme, l.width) }

// looks are all that the pages are made for.
var looks = []look{{"light", 1280}, {"dark", 320}, {"dark", 1280}, {"light", 360}, {"light", 320}, {"dark", 360}}

// open opens a tab for the pages of a worker.
func open(t *testing.T, origin string) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(browser)
	t.Cleanup(end)
	b := &tab{t: t, ctx: ctx, origin: origin}
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatal(err)
	}
	_, logErr := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	_, runErr := chromedp.Call(ctx, runtime.Enable, cdp.Empty{})
	_, netErr := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	if err := errors.Join(logErr, runErr, netErr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.clean)
	b.show(look{"light", 1280})
	return b
}

// note notes an event that is a fault.
func (b *tab) note(event any) {
	switch e := event.(type) {
	case *log.EventEntryAdded:
		b.fault("console, %s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
	case *runtime.EventConsoleAPICalled:
		b.fault("console: %v", e.Args)
	case *runtime.EventExceptionThrown:
		b.fault("exception: %s", e.ExceptionDetails.Text)
	case *network.EventRequestWillBeSent:
		if url := e.Request.URL; !strings.HasPrefix(url, b.origin+"/") && url != "about:blank" {
			b.fault("a request to another host: %s", url)
		}
	}
}

func (b *tab) fault(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if text := fmt.Sprintf(format, args...); b.refuse == "" || !strings.Contains(text, b.refuse) {
		b.faults = append(b.faults, text)
	}
}

// clean fails on all faults so far.
func (b *tab) clean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		b.t.Errorf("got %s, want nothing", f)
	}
	b.faults = nil
}

// show sets theme and width.
func (b *tab) show(l look) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.theme}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	_, err = chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: l.width, Height: 900, DeviceScaleFactor: 1, Mobile: l.width < 700,
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// withoutScripts switches JavaScript off in the pages.
func (b *tab) withoutScripts() { b.scripts(false) }

// scripts switches JavaScript on or off from the next page on.
func (b *tab) scripts(on bool) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on}); err != nil {
		b.t.Fatal(err)
	}
}

// goTo opens a page.
func (b *tab) goTo(path string) {
	b.t.Helper()
	b.do(path, chromedp.Navigate(b.origin+path))
}

// do runs steps within the time that a test has.
func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// result is the value of an action.
func result[T any](b *tab, what string, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
	return v
}

// eval is the value of an expression in the page.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	return result(b, expression, chromedp.Evaluate[T](expression))
}

// has fails unless the text of the page has all texts.
func (b *tab) has(texts ...string) {
	b.t.Helper()
	got := eval[string](b, `document.body.innerText`)
	for _, want := range texts {
		if !strings.Contains(got, want) {
			b.t.Errorf("%s: got %s, want %q in it", eval[string](b, `location.href`), got, want)
		}
	}
}
