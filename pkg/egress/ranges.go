// The ranges of addresses that are not ordinary public ones. They follow the
// special-purpose registries of IANA for IPv4 and IPv6.

package egress

import "net/netip"

// kind is what an address is to the levels.
type kind uint8

const (
	public  kind = iota
	private      // refused by Strict
	special      // refused by Guarded and Strict
)

// addressRange is one line of the registries.
type addressRange struct {
	prefix netip.Prefix
	kind   kind
	what   string
}

// ranges is searched from the top, and the first range that holds the address
// decides, so exceptions stand above what they are an exception from.
var ranges = []addressRange{
	// Metadata services of clouds outside the link-local range. A client that reaches
	// one can take the machine's credentials.
	of("100.100.100.200/32", special, metadata), // Alibaba, inside carrier-grade NAT
	of("168.63.129.16/32", special, metadata),   // Azure, inside a public range
	// Inside unique local:
	of("fd00:ec2::/32", special, metadata),          // AWS: metadata, credentials of pods, DNS, time
	of("fd20:ce::254/128", special, metadata),       // Google
	of("fd00:42::42/128", special, metadata),        // Scaleway
	of("fd00:c1::a9fe:a9fe/128", special, metadata), // Oracle
	of("fd00:a9fe:a9fe::1/128", special, metadata),  // Akamai
	of("fd00:100::100:200/128", special, metadata),  // Alibaba

	of("0.0.0.0/8", special, unspecified),
	of("127.0.0.0/8", special, loopback),
	of("169.254.0.0/16", special, linkLocal), // 169.254.169.254 included
	of("255.255.255.255/32", special, "the broadcast address"),
	of("224.0.0.0/4", special, multicast),
	of("240.0.0.0/4", special, reserved),
	of("192.0.0.0/24", special, reserved),
	of("192.0.2.0/24", special, documentation),
	of("198.51.100.0/24", special, documentation),
	of("203.0.113.0/24", special, documentation),
	of("192.88.99.0/24", special, translation), // 6to4 relays
	of("198.18.0.0/15", special, "a benchmarking address"),

	of("10.0.0.0/8", private, privateUse),
	of("172.16.0.0/12", private, privateUse),
	of("192.168.0.0/16", private, privateUse),
	of("100.64.0.0/10", private, "a carrier-grade NAT address"),
	of("0.0.0.0/0", public, ordinary),

	of("::/128", special, unspecified),
	of("::1/128", special, loopback),
	of("fe80::/10", special, linkLocal),
	of("ff00::/8", special, multicast),
	of("64:ff9b::/96", special, translation),   // NAT64: holds any IPv4 address
	of("64:ff9b:1::/48", special, translation), // NAT64, local use
	of("2002::/16", special, translation),      // 6to4: holds any IPv4 address
	of("2001::/32", special, translation),      // Teredo
	of("2001:db8::/32", special, documentation),
	of("3fff::/20", special, documentation),
	of("2001::/23", special, reserved), // protocol assignments
	of("100::/64", special, "a discard-only address"),
	of("5f00::/16", special, "a segment routing address"),
	of("fc00::/7", private, "a unique local address"),
	// What IANA has given out for unicast. All the rest of IPv6, now and later, is
	// refused: IPv4-compatible (::/96), site-local (fec0::/10), unassigned.
	of("2000::/3", public, ordinary),
	of("::/0", special, reserved),
}

const (
	documentation = "a documentation address"
	linkLocal     = "a link-local address"
	loopback      = "a loopback address"
	metadata      = "a metadata service"
	multicast     = "a multicast address"
	ordinary      = "a public address"
	privateUse    = "a private address"
	reserved      = "a reserved address"
	translation   = "a translation address"
	unspecified   = "an unspecified address"
)

func of(prefix string, k kind, what string) addressRange {
	return addressRange{netip.MustParsePrefix(prefix), k, what}
}

// classify says what a plain address is. One that is in no range, such as the
// zero Addr, is refused.
func classify(a netip.Addr) (kind, string) {
	for _, r := range ranges {
		if r.prefix.Contains(a) {
			return r.kind, r.what
		}
	}
	return special, "not an address"
}
