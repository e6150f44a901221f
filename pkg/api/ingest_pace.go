// File ingest_pace.go ends bodies that come too slowly.

package api

import (
	"io"
	"net/http"
	"time"
)

const (
	// bodyTimeout is how long a body may take to arrive, waiting for memory aside.
	bodyTimeout = time.Minute
	// bodyGrace is how long a body may stay behind bodyRate.
	bodyGrace = 10 * time.Second
	// bodyRate is the least that has to arrive in a second, on average, and largeRate
	// that of a body of more than largeBody bytes, which has much memory.
	bodyRate  = 1 << 10
	largeRate = 16 << 10
	largeBody = 64 << 10
)

// pacedBody is a body whose reads end when it comes too slowly.
type pacedBody struct {
	io.ReadCloser
	c     *http.ResponseController
	spent time.Duration // in reads alone
	got   int64
}

// pacedFrom makes the paced body of a request.
func pacedFrom(w http.ResponseWriter, r *http.Request) *pacedBody {
	return &pacedBody{ReadCloser: r.Body, c: http.NewResponseController(w)}
}

func (p *pacedBody) Read(b []byte) (int, error) {
	start := time.Now()
	_ = p.c.SetReadDeadline(start.Add(p.allowed() - p.spent)) // every connection of a server can
	n, err := p.ReadCloser.Read(b)
	p.got += int64(n)
	p.spent += time.Since(start)
	if err == io.EOF {
		_ = p.c.SetReadDeadline(start.Add(bodyTimeout)) // past it, net/http takes the client for gone
	}
	return n, err
}

// allowed is how long the reads of a body may have taken by what has arrived.
func (p *pacedBody) allowed() time.Duration {
	rate := bodyRate
	if p.got > largeBody {
		rate = largeRate
	}
	seconds := float64(p.got) / float64(rate)
	return min(bodyTimeout, bodyGrace+time.Duration(seconds*float64(time.Second)))
}
