package intake

import "time"

// A message that was settled is remembered for pastPeriod at least and twice that
// at most: a server that is killed may have lost the last minute of acks, since
// it writes them with the next message or once a minute.
//
// pastCount bounds a generation, and with it the memory, to about 10 MiB. Above
// 200 messages a second they are remembered for less than pastPeriod: at 10,000
// for 12 to 25 seconds.
const (
	pastPeriod = 10 * time.Minute
	pastCount  = 1 << 17
)

// past remembers settled messages, whose acks may have been lost, in two
// generations. The zero value is empty.
type past struct {
	young, old map[key]struct{}
	since      time.Time // when young was begun
}

func (p *past) has(k key) bool {
	if _, ok := p.young[k]; ok {
		return true
	}
	_, ok := p.old[k]
	return ok
}

func (p *past) add(k key, now time.Time) {
	if p.young == nil || len(p.young) >= pastCount {
		p.turn(now)
	}
	p.young[k] = struct{}{}
}

// rotate begins a generation when the current one is old enough.
func (p *past) rotate(now time.Time) {
	if len(p.young)+len(p.old) > 0 && now.Sub(p.since) >= pastPeriod {
		p.turn(now)
	}
}

func (p *past) turn(now time.Time) {
	p.old, p.young, p.since = p.young, make(map[key]struct{}), now
}
