// File deadline.go has the time that an answer may take.

package respond

import (
	"net/http"
	"time"
)

// Timeouts of the server. A client that is slower than these is cut.
const (
	ReadTimeout  = 15 * time.Second // from the first byte of the connection, or of the request, to the end of the body
	WriteTimeout = 30 * time.Second // from the end of the header to the end of the answer
)

// Extend gives a request that waits on purpose so much longer than the timeouts
// allow. Its read deadline has to move too: when it passes, net/http takes the
// client for gone.
func Extend(w http.ResponseWriter, by time.Duration) {
	c, now := http.NewResponseController(w), time.Now()
	_ = c.SetReadDeadline(now.Add(by + ReadTimeout)) // a writer without deadlines has none to move
	_ = c.SetWriteDeadline(now.Add(by + WriteTimeout))
}
