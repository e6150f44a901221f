package descriptor

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"
)

func TestExhausted(t *testing.T) {
	t.Parallel()
	socket := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.EMFILE)}
	for _, tt := range []struct {
		name string
		err  error
		want bool
	}{
		{"none", nil, false},
		{"no descriptor for a file", &fs.PathError{Op: "open", Path: "000012.sst", Err: syscall.EMFILE}, true},
		{"no descriptor in the system", fmt.Errorf("open: %w", syscall.ENFILE), true},
		{"no buffer", &net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.ENOBUFS)}, true},
		{"no descriptor for a socket", socket, true},
		{"no descriptor for a lookup", &net.OpError{Op: "dial", Err: &net.DNSError{Err: socket.Error(), Name: "gateway"}}, true},
		{"a name that says so", &net.DNSError{Err: "no such host", Name: "too many open files"}, false},
		{"no memory for a socket", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENOMEM)}, true},
		{"no free local port, to any host", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)}, false},
		{"a DNS that does not answer, for any host", &net.DNSError{Err: "i/o timeout", IsTimeout: true}, false},
		{"no space", syscall.ENOSPC, false},
		{"refused", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, false},
	} {
		if got := Exhausted(tt.err); got != tt.want {
			t.Errorf("%s: %t, want %v", tt.name, got, tt.want)
		}
	}
}
