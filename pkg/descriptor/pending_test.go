//go:build unix

package descriptor

import (
	"net"
	"testing"
)

func TestPending(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	want := func(when string, want bool) {
		t.Helper()
		if got := Pending(ln); got != want {
			t.Errorf("%s: %t, want %v", when, got, want)
		}
	}
	want("before a connection", false)
	c, err := net.Dial("tcp", ln.Addr().String()) // on loopback it is in the queue when Dial returns
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want("with a connection", true)
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	want("after it was accepted", false)
	if !Pending(struct{ net.Listener }{ln}) {
		t.Error("a listener that cannot be asked has none: Pending(struct{ net.Listener }{ln}) = false, want true")
	}
	_ = ln.Close()
	want("closed", true) // Accept returns the error
}
