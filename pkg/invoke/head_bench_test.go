package invoke

import (
	"strings"
	"testing"

	"github.com/openfaas/faas-provider/types"
)

// BenchmarkHead makes and writes what stands before the body of a small request.
func BenchmarkHead(b *testing.B) {
	header := map[string][]string{
		"Accept": {"*/*"}, "Content-Length": {"5"}, "Content-Type": {"text/plain"}, "User-Agent": {"curl/7.68.0"},
		"X-Call-Id": {"eb8283f5-1679-48e0-afec-194544b054aa"}, "X-Start-Time": {"1543915495384346700"},
	}
	c := newClient(b, "127.0.0.1:8080", nil)
	q := types.QueueRequest{Function: "figlet", Path: "/v1/job", QueryString: "user=1", Header: header, Body: []byte(strings.Repeat("x", 256))}
	call := Call{ID: testID, CallID: "c1", RetryMax: 10, Request: decoded(b, q)}
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		h := heads.Get().(*head)
		var e exchange
		err := c.address(&e, h, call)
		if err == nil {
			h.fields, err = c.functionHeader(h.fields[:0], call)
		}
		if err != nil {
			b.Fatal(err)
		}
		out = h.appendTo(out[:0], call.Request.BodyLen())
		h.free()
	}
}
