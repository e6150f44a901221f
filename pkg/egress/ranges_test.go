// Which address each level refuses.

package egress

import (
	"net/netip"
	"testing"
)

func TestLevelsRefuseRanges(t *testing.T) {
	t.Parallel()
	const (
		noLevel = "" // refused by no level
		strict  = "strict"
		guarded = "guarded and strict"
	)
	tests := []struct{ addr, refusedBy string }{
		{"0.0.0.0", guarded}, {"0.1.2.3", guarded}, {"0.255.255.255", guarded}, {"1.0.0.0", noLevel},
		{"126.255.255.255", noLevel}, {"127.0.0.0", guarded}, {"127.0.0.1", guarded}, {"127.255.255.255", guarded}, {"128.0.0.0", noLevel},
		{"169.253.255.255", noLevel}, {"169.254.0.0", guarded}, {"169.254.169.254", guarded}, {"169.254.170.2", guarded}, {"169.255.0.0", noLevel},
		{"223.255.255.255", noLevel}, {"224.0.0.1", guarded}, {"239.255.255.250", guarded},
		{"240.0.0.1", guarded}, {"255.255.255.254", guarded}, {"255.255.255.255", guarded},
		{"191.255.255.255", noLevel}, {"192.0.0.0", guarded}, {"192.0.0.192", guarded}, {"192.0.1.0", noLevel},
		{"192.0.2.1", guarded}, {"198.51.100.7", guarded}, {"203.0.113.9", guarded},
		{"192.88.98.255", noLevel}, {"192.88.99.1", guarded}, {"192.88.100.0", noLevel},
		{"198.17.255.255", noLevel}, {"198.18.0.1", guarded}, {"198.19.255.255", guarded}, {"198.20.0.0", noLevel},
		{"100.100.100.200", guarded}, {"168.63.129.16", guarded}, {"168.63.129.17", noLevel},
		{"93.184.216.34", noLevel}, {"8.8.8.8", noLevel},

		{"9.255.255.255", noLevel}, {"10.0.0.0", strict}, {"10.255.255.255", strict}, {"11.0.0.0", noLevel},
		{"172.15.255.255", noLevel}, {"172.16.0.1", strict}, {"172.31.255.255", strict}, {"172.32.0.0", noLevel},
		{"192.167.255.255", noLevel}, {"192.168.0.1", strict}, {"192.168.255.255", strict}, {"192.169.0.0", noLevel},
		{"100.63.255.255", noLevel}, {"100.64.0.1", strict}, {"100.127.255.255", strict}, {"100.128.0.0", noLevel},

		{"::", guarded}, {"::1", guarded}, {"::2", guarded}, {"::7f00:1", guarded}, {"::ffff:0:7f00:1", guarded},
		{"fe80::1", guarded}, {"febf::1", guarded}, {"fec0::1", guarded}, {"ff02::1", guarded},
		{"64:ff9b::7f00:1", guarded}, {"64:ff9b::808:808", guarded}, {"64:ff9b:1::1", guarded}, {"64:ff9b:2::1", guarded},
		{"2002:7f00:1::", guarded}, {"2002:5db8:d822::1", guarded}, {"2003::1", noLevel},
		{"2001::1", guarded}, {"2001:0:4136:e378:8000:63bf:3fff:fdd2", guarded}, {"2001:2::1", guarded}, {"2001:20::1", guarded},
		{"2001:db8::1", guarded}, {"2001:db7::1", noLevel}, {"2001:db9::1", noLevel},
		{"3ffe::1", noLevel}, {"3fff::1", guarded}, {"3fff:fff::1", guarded}, {"3fff:1000::1", noLevel},
		{"100::1", guarded}, {"100:0:0:1::1", guarded}, {"5f00::1", guarded}, {"4000::1", guarded},
		{"fd00:ec2::254", guarded}, {"fd00:ec2::253", guarded}, {"fd00:ec2::23", guarded}, {"fd00:ec2:ffff::1", guarded},
		{"fd00:ec1::1", strict}, {"fd00:ec3::1", strict},
		{"fd20:ce::254", guarded}, {"fd00:42::42", guarded}, {"fd00:c1::a9fe:a9fe", guarded}, {"fd00:a9fe:a9fe::1", guarded}, {"fd00:100::100:200", guarded},
		{"fc00::1", strict}, {"fd20:ce::253", strict}, {"fdff::1", strict},
		{"2606:2800:220:1:248:1893:25c8:1946", noLevel}, {"2a00:1450:4001::1", noLevel},
	}
	for _, tt := range tests {
		t.Run(tt.addr, func(t *testing.T) {
			t.Parallel()
			a := netip.MustParseAddr(tt.addr)
			want := map[Level]bool{Guarded: tt.refusedBy == guarded, Strict: tt.refusedBy != noLevel, Open: false}
			for _, l := range Levels() {
				if what, refused := l.refuses(a); refused != want[l] {
					t.Errorf("%s: refused is %v (%s), want %v", l, refused, what, want[l])
				}
			}
		})
	}
}

func TestAnIPv4AddressInDisguiseIsJudgedAsItself(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{})
	for _, dialled := range []string{
		"[::ffff:127.0.0.1]:80", "[::ffff:7f00:1]:80", "[::ffff:169.254.169.254]:80", "[::ffff:0.0.0.0]:80",
		"[::1%lo]:80", "[fe80::1%eth0]:80", "[::ffff:127.0.0.1%lo]:80",
	} {
		wantRefused(t, dialled, g.check(dialled, false))
	}
	if err := g.check("[::ffff:93.184.216.34]:80", false); err != nil {
		t.Errorf("a public address inside IPv6: %v, want nil", err)
	}
}

func TestWhatIsNoAddressIsRefused(t *testing.T) {
	t.Parallel()
	for _, level := range Levels() {
		g := newGuard(t, Options{Level: level})
		for _, dialled := range []string{"", ":80", "80", "example.com:80", "127.0.0.1", "1.2.3:80", "::1:80", "[::1]", "1.2.3.4:99999", "0x7f.1:80", "/run/docker.sock"} {
			wantRefused(t, dialled, g.check(dialled, false))
			wantRefused(t, dialled, g.check(dialled, true))
		}
	}
	if k, _ := classify(netip.Addr{}); k != special {
		t.Errorf("the zero address passes: k = %d, want special", k)
	}
}

func TestLevelsAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for _, l := range Levels() {
		switch got, err := ParseLevel(l.String()); {
		case err != nil:
			t.Errorf("ParseLevel(%q) is %v, %v, want no error", l, got, err)
		case got != l:
			t.Errorf("ParseLevel(%q) is %v, %v, want %v", l, got, err, l)
		}
	}
	for _, bad := range []string{"", "Strict", "off", "guarded "} {
		switch l, err := ParseLevel(bad); {
		case err == nil:
			t.Errorf("%v, want an error", err)
		case l != Guarded:
			t.Errorf("ParseLevel(%q) is %v, %v: l = %v, want %v", bad, l, err, l, Guarded)
		}
	}
}

func TestUnknownLevelsPanic(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(){
		"the word":     func() { _ = Level(9).String() },
		"the judgment": func() { Level(9).refuses(netip.IPv6Loopback()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("it accepts a level that does not exist, want recover() set")
				}
			}()
			f()
		})
	}
}
