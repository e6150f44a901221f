// The chart's NetworkPolicy and the levels hold the same ranges.

package egress

import (
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
)

// block is an ipBlock of the NetworkPolicy.
type block struct {
	cidr   netip.Prefix
	except []netip.Prefix
}

var blockPattern = regexp.MustCompile(`cidr: (\S+)\s+except: \[([^\]]*)\]`)

func chartBlocks(t *testing.T) []block {
	t.Helper()
	text, err := os.ReadFile("../../chart/queue-worker/templates/networkpolicy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	for _, m := range blockPattern.FindAllStringSubmatch(string(text), -1) {
		b := block{cidr: netip.MustParsePrefix(m[1])}
		for _, e := range strings.Split(m[2], ",") {
			b.except = append(b.except, netip.MustParsePrefix(strings.Trim(e, ` "`)))
		}
		blocks = append(blocks, b)
	}
	if len(blocks) != 2 {
		t.Fatalf("%d blocks with exceptions, want one of IPv4 and one of IPv6", len(blocks))
	}
	return blocks
}

// holds reports whether one of the prefixes holds all of p.
func holds(prefixes []netip.Prefix, p netip.Prefix) bool {
	for _, outer := range prefixes {
		if outer.Bits() <= p.Bits() && outer.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

func TestTheChartKeepsCallbacksFromEveryRangeThatStrictRefuses(t *testing.T) {
	t.Parallel()
	for _, b := range chartBlocks(t) {
		for _, r := range ranges {
			if r.kind != public && holds([]netip.Prefix{b.cidr}, r.prefix) && !holds(b.except, r.prefix) {
				t.Errorf("the exceptions of %s lack %s, %s", b.cidr, r.prefix, r.what)
			}
		}
		for _, e := range b.except {
			if kind, _ := classify(e.Addr()); kind == public || !e.Addr().Is4() && !holds([]netip.Prefix{b.cidr}, e) {
				t.Errorf("%s is an exception of %s, and not refused by any level", e, b.cidr)
			}
		}
	}
}
