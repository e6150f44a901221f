// Which ports each level refuses, and what callback_allow makes of it.

package egress

import (
	"errors"
	"net"
	"strconv"
	"testing"
)

func TestPortsOfOtherProtocolsAreRefused(t *testing.T) {
	t.Parallel()
	public, private := "93.184.216.34", "10.96.0.10"
	for _, port := range []uint16{22, 25, 53, 110, 143, 6000, 6667, 10080, 2375, 2379, 3306, 4222, 5432, 6379, 9042, 10250, 11211, 27017} {
		for _, addr := range []string{public, private} {
			dialled := net.JoinHostPort(addr, strconv.Itoa(int(port)))
			for _, l := range []Level{Guarded, Strict} {
				wantRefused(t, l.String()+" "+dialled, newGuard(t, Options{Level: l}).check(dialled, false))
			}
			for name, err := range map[string]error{
				"open":                        newGuard(t, Options{Level: Open}).check(dialled, false),
				"an allowed address":          newGuard(t, Options{Allow: []string{addr}}).check(dialled, false),
				"an allowed range":            newGuard(t, Options{Level: Strict, Allow: []string{"0.0.0.0/0"}}).check(dialled, false),
				"an allowed name, or gateway": newGuard(t, Options{Level: Strict}).check(dialled, true),
			} {
				if err != nil {
					t.Errorf("%s: %v, want nil", name, err)
				}
			}
		}
	}
}

func TestPortsOfHTTPPass(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{})
	for _, port := range []string{"80", "443", "591", "3000", "5000", "7000", "8000", "8008", "8080", "8081", "8443", "8888", "9000", "9090", "9200", "31112", "65535"} {
		if err := g.check("93.184.216.34:"+port, false); err != nil {
			t.Error(err)
		}
	}
}

func TestANameIsDialledAtABadPortOnlyWhenItIsAllowed(t *testing.T) {
	t.Parallel()
	resolver := newResolver(t, everything("10.255.255.1")) // refused before anything is sent
	for _, allow := range [][]string{nil, {"other.example"}, {"10.0.0.0/24"}} {
		wantRefused(t, "redis.example", dial(t, newGuard(t, Options{Allow: allow, Resolver: resolver}), "redis.example.:6379"))
	}
	g := newGuard(t, Options{Level: Strict, Allow: []string{"127.0.0.1"}, Resolver: newResolver(t, everything("127.0.0.1"))})
	if err := dial(t, g, "redis.example.:6379"); errors.Is(err, ErrRefused) {
		t.Errorf("an allowed address behind a name: %v: errors.Is(err, ErrRefused) = true, want false", err)
	}
}
