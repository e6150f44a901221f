package invoke

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/openfaas/faas-provider/types"
)

// BenchmarkFunction measures one call over a kept connection, with the header of a
// real gateway, against a server that does next to nothing.
func BenchmarkFunction(b *testing.B) {
	header := map[string][]string{
		"Accept": {"*/*"}, "Content-Length": {"5"}, "Content-Type": {"text/plain"}, "User-Agent": {"curl/7.68.0"},
		"X-Call-Id": {"eb8283f5-1679-48e0-afec-194544b054aa"}, "X-Start-Time": {"1543915495384346700"},
	}
	for _, size := range []int{0, 256, 64 << 10} {
		for _, keep := range []bool{false, true} {
			b.Run(fmt.Sprintf("body=%d/keep=%t", size, keep), func(b *testing.B) {
				s := listen(b, func(_ *socket, _ int, c net.Conn, r *bufio.Reader) {
					for discardRequest(r) {
						if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
							return
						}
					}
				})
				c := newClient(b, s.address, nil)
				q := types.QueueRequest{Function: "figlet", Path: "/v1/job", QueryString: "user=1", Header: header, Body: []byte(strings.Repeat("x", size))}
				call := Call{ID: testID, CallID: "c1", RetryMax: 10, Request: decoded(b, q), KeepBody: keep}
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if r := c.Function(b.Context(), call); r.Status != 200 {
						b.Fatalf("result is %+v, want Status 200", r)
					}
				}
			})
		}
	}
}

// discardRequest reads a request and keeps nothing of it.
func discardRequest(r *bufio.Reader) bool {
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return false
		}
		if len(line) == 2 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return false
			}
		}
	}
	_, err := r.Discard(length)
	return err == nil
}
