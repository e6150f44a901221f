// The levels of callback_policy.

package egress

import (
	"fmt"
	"net/netip"
	"strconv"
)

// Level is how much a Guard refuses. See ranges.go for what exactly.
type Level uint8

// The closed set of levels.
const (
	// Guarded refuses what is no callback's place on any network. Private
	// addresses pass, because the services of a cluster have them.
	Guarded Level = iota
	// Strict refuses private, carrier-grade NAT and unique local addresses too.
	Strict
	// Open refuses only our own listeners.
	Open
)

// Levels lists the closed set.
func Levels() []Level { return []Level{Guarded, Strict, Open} }

// String is the word that callback_policy takes.
func (l Level) String() string {
	switch l {
	case Guarded:
		return "guarded"
	case Strict:
		return "strict"
	case Open:
		return "open"
	}
	panic("egress: unknown level")
}

// ParseLevel reads the word that Level.String writes, and nothing else.
func ParseLevel(s string) (Level, error) {
	for _, l := range Levels() {
		if l.String() == s {
			return l, nil
		}
	}
	return Guarded, fmt.Errorf("%s is not a callback policy: expected guarded, strict or open", strconv.Quote(s))
}

// refuses reports whether the level forbids an address, and what the address is.
// The address must be plain.
func (l Level) refuses(a netip.Addr) (what string, refused bool) {
	k, what := classify(a)
	switch l {
	case Guarded:
		return what, k == special
	case Strict:
		return what, k != public
	case Open:
		return what, false
	}
	panic("egress: unknown level")
}
