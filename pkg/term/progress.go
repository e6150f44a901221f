// File progress.go shows the progress of long work: a bar on a terminal, a line every few
// seconds in a log.

package term

import (
	"time"

	"github.com/schollz/progressbar/v3"

	"queue-worker/pkg/escape"
)

// progressPeriod is how often a line is written where there is no terminal.
const progressPeriod = 5 * time.Second

// Progress is the state of long work. Its methods are for one goroutine.
type Progress struct {
	c       *Console
	bar     *progressbar.ProgressBar // nil without a terminal
	what    string
	bytes   bool
	total   int64
	written time.Time
	last    string
}

// Count shows progress in pieces; a total below 1 is not known.
func (c *Console) Count(what string, total int64) *Progress { return c.progress(what, total, false) }

// Volume shows progress in bytes; a total below 1 is not known.
func (c *Console) Volume(what string, total int64) *Progress { return c.progress(what, total, true) }

func (c *Console) progress(what string, total int64, bytes bool) *Progress {
	if total < 1 {
		total = -1
	}
	what = escape.Line(what)
	p := &Progress{c: c, what: what, bytes: bytes, total: total, written: c.now()}
	if c.Telling {
		p.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(c.Err), progressbar.OptionSetDescription(what), progressbar.OptionShowCount(),
			progressbar.OptionShowBytes(bytes), progressbar.OptionUseIECUnits(true), progressbar.OptionSetWidth(30),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetRenderBlankState(true),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetSpinnerChangeInterval(0), progressbar.OptionUseANSICodes(true))
	}
	return p
}

// Set says how far it has come, and a word of ours about it.
func (p *Progress) Set(n int64, note string) {
	if p.bar != nil {
		if note != "" {
			p.bar.Describe(p.what + ", " + escape.Line(note))
		} else {
			p.bar.Describe(p.what)
		}
		_ = p.bar.Set64(n) // it only shows
		return
	}
	now := p.c.now()
	if now.Sub(p.written) < progressPeriod {
		return
	}
	p.written = now
	p.line(n, note)
}

func (p *Progress) line(n int64, note string) {
	text := p.what + ": " + p.amount(n)
	if p.total > 0 {
		text += " of " + p.amount(p.total)
	}
	if note != "" {
		text += ", " + note
	}
	if text != p.last {
		p.last = text
		p.c.Tell("%s", text)
	}
}

func (p *Progress) amount(n int64) string {
	if p.bytes {
		return Bytes(n)
	}
	return Number(n).Long
}

// End takes the bar away, so that lines may follow. It may be called again.
func (p *Progress) End() {
	if p.bar != nil {
		_ = p.bar.Exit()
		_ = p.bar.Clear()
		p.bar = nil
	}
}
