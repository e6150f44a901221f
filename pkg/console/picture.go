// File picture.go draws what happened in the last hour, as paths of SVG. They are made of
// integers alone, and each has a sentence that says what it shows.

package console

import (
	"fmt"
	"strings"

	"queue-worker/pkg/wire"
)

// minutes is the width of every picture of an hour.
const minutes = 60

// picture is an hour of outcomes: three paths of SVG, and the same in words. Done, Retried
// and GivenUp are drawn one on top of the other.
type picture struct {
	Done, Retried, GivenUp string
	Most                   int    // attempts in the busiest minute
	Sentence               string // for readers of the page that do not see it
	Began                  bool   // the worker has started within the hour
}

// stack are the heights of one minute, each on top of the one before.
type stack [3]int

// stacks are the minutes of a history, the latest on the right. What was before the start
// of the worker is 0.
func stacks(h *wire.History) (all [minutes]stack, most int) {
	n := min(len(h.Done), len(h.Retried), len(h.GivenUp), minutes)
	for i := range n {
		at, from := minutes-n+i, len(h.Done)-n+i
		done := int(h.Done[from])
		retried := done + int(h.Retried[len(h.Retried)-n+i])
		all[at] = stack{done, retried, retried + int(h.GivenUp[len(h.GivenUp)-n+i])}
		most = max(most, all[at][2])
	}
	return all, most
}

// silhouette draws a history in a box of 60 by height: one stepped outline a series.
func silhouette(h *wire.History, height int) picture {
	all, most := stacks(h)
	p := picture{Most: most, Sentence: sentence(all, most), Began: len(h.Done) < minutes}
	p.GivenUp = outline(all, 2, 1, most, height)
	p.Retried = outline(all, 1, 0, most, height)
	p.Done = outline(all, 0, -1, most, height)
	return p
}

// outline is the outline of one series down to the ground; "" when there is nothing of it
// beside the series below.
func outline(all [minutes]stack, of, below, most, height int) string {
	if !shows(all, of, below) {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "M0 %d", height)
	last, run := height, 0
	for _, s := range all {
		y := height - scaled(s[of], most, height)
		if y != last {
			if run > 0 {
				fmt.Fprintf(&b, "h%d", run)
			}
			fmt.Fprintf(&b, "V%d", y)
			last, run = y, 0
		}
		run++
	}
	fmt.Fprintf(&b, "h%dV%dz", run, height)
	return b.String()
}

// shows reports whether a series has anything beside the one below.
func shows(all [minutes]stack, of, below int) bool {
	for _, s := range all {
		if height(s, of) > height(s, below) {
			return true
		}
	}
	return false
}

func height(s stack, of int) int {
	if of < 0 {
		return 0
	}
	return s[of]
}

// scaled is a part of a height, at least 1 for anything that is not 0.
func scaled(n, most, height int) int {
	if n == 0 || most == 0 {
		return 0
	}
	return max(n*height/most, 1)
}

// bars draws a history with one bar a minute, in a box of 600 by height.
func bars(h *wire.History, boxHeight int) picture {
	all, most := stacks(h)
	p := picture{Most: most, Sentence: sentence(all, most), Began: len(h.Done) < minutes}
	for of, path := range []*string{&p.Done, &p.Retried, &p.GivenUp} {
		*path = bar(all, of, most, boxHeight)
	}
	return p
}

// dueBars draws what becomes due, one bar a minute, in a box of 600 by height.
func dueBars(due []int, boxHeight int) picture {
	var all [minutes]stack
	p := picture{Sentence: "Nothing becomes due in the next hour."}
	sum := 0
	for i, n := range due[:min(len(due), minutes)] {
		all[i], sum = stack{0, n, n}, sum+n
		p.Most = max(p.Most, n)
	}
	if sum > 0 {
		p.Sentence = fmt.Sprintf("Invocations that become due in the next hour: %s, at most %s a minute.", Count(sum), Count(p.Most))
	}
	p.Retried = bar(all, 1, p.Most, boxHeight)
	return p
}

// bar is the path of one series of bars.
func bar(all [minutes]stack, of, most, boxHeight int) string {
	var b strings.Builder
	for i, s := range all {
		bottom, top := scaled(height(s, of-1), most, boxHeight), scaled(s[of], most, boxHeight)
		if top > bottom {
			fmt.Fprintf(&b, "M%d %dv%dh8v%dz", i*10+1, boxHeight-bottom, bottom-top, top-bottom)
		}
	}
	return b.String()
}

// sentence says what an hour has: the sums, and the busiest minute.
func sentence(all [minutes]stack, most int) string {
	var done, retried, givenUp int
	for _, s := range all {
		done, retried, givenUp = done+s[0], retried+s[1]-s[0], givenUp+s[2]-s[1]
	}
	if most == 0 {
		return "No attempts in the last hour."
	}
	return fmt.Sprintf("Attempts of the last hour: %s done, %s to be retried, %s given up; at most %s a minute.",
		Count(done), Count(retried), Count(givenUp), Count(most))
}
