package console

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// mostScreenshot bounds a screenshot in bytes.
const mostScreenshot = 200 << 10

// TestScreenshotsOfTheDocumentation makes the screenshots of README and docs/console.md with
// -update, and holds that those that are there are small.
func TestScreenshotsOfTheDocumentation(t *testing.T) {
	s := seedOnce(t)
	for name, shot := range map[string]struct {
		path string
		look look
	}{
		"overview":   {"/", look{"light", 1280}},
		"function":   {"/functions/mail-send", look{"dark", 1280}},
		"invocation": {"/invocations/" + s.dead, look{"light", 1280}},
		"plan":       {"/jobs/" + s.plan, look{"light", 1280}},
	} {
		file := filepath.Join("..", "..", "docs", "images", "console-"+name+".png")
		if *update {
			b := open(t, s.base)
			b.show(shot.look)
			b.goTo(shot.path)
			png := result(b, "screenshot", chromedp.CaptureScreenshot())
			if err := os.WriteFile(file, png, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > mostScreenshot {
			t.Errorf("%s: got %d bytes, want at most %d", file, info.Size(), mostScreenshot)
		}
	}
}
