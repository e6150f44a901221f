package api

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// withIntake takes work in, up to 8 MiB of a body.
func withIntake(k *taker) func(*Options) {
	return func(o *Options) {
		o.Ingest = &Ingest{Taker: k, CheckURL: checkURL, Queue: "faas-request", MaxBytes: 8 << 20}
	}
}

// begin sends the header of a request, and of its body what is given.
func (p *pipes) begin(t *testing.T, path, length, body string) net.Conn {
	c := p.dial()
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\n"+length+"\r\n\r\n"+body); err != nil {
		t.Error(err)
	}
	return c
}

// statusOf is the status of the answer on a connection, and 0 for none.
func statusOf(c net.Conn) int {
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func TestSilentUploadsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &taker{}
		p := servePipes(t, withIntake(k))
		start := time.Now()
		var silent []net.Conn
		for range 2 {
			silent = append(silent, p.begin(t, "/queue/producer", "Transfer-Encoding: chunked", ""))
		}
		for range 50 {
			silent = append(silent, p.begin(t, "/async-function/f", "Content-Length: 8388608", ""), p.begin(t, "/queue/producer", "Content-Length: 8388608", ""))
		}
		synctest.Wait()
		small := `{"message":"` + strings.Repeat("m", 64<<10-100) + `","callback_url":"http://cb/"}`
		for path, body := range map[string]string{"/async-function/f": strings.Repeat("b", 64<<10), "/deadletter/f": "b", "/queue/producer": small} {
			c := p.dial()
			go func() {
				_, _ = io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
				w := chunked(c)
				_, _ = io.WriteString(w, body)
				_ = w.Close()
			}()
			if got := statusOf(c); got != http.StatusAccepted {
				t.Errorf("beside silent uploads, %s answers %d", path, got)
			}
			_ = c.Close()
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the small requests took %s", took)
		}
		for _, c := range silent {
			if got := statusOf(c); got != http.StatusRequestTimeout {
				t.Errorf("a silent upload is answered with %d", got)
			}
			_ = c.Close()
		}
		if took := time.Since(start); took > bodyGrace+time.Second {
			t.Errorf("the silent uploads ended after %s", took)
		}
		time.Sleep(time.Minute) // the server lingers before it closes a connection
	})
}

// chunks writes the chunks of a body.
type chunks struct{ to io.Writer }

func chunked(to io.Writer) chunks { return chunks{to} }

func (c chunks) Write(p []byte) (int, error) {
	for i, b := 0, p; len(b) > 0; i++ {
		n := min(len(b), 0x1000)
		size := []byte{"0123456789abcdef"[n>>12&15], "0123456789abcdef"[n>>8&15], "0123456789abcdef"[n>>4&15], "0123456789abcdef"[n&15]}
		if _, err := io.WriteString(c.to, string(size)+"\r\n"+string(b[:n])+"\r\n"); err != nil {
			return 0, err
		}
		b = b[n:]
	}
	return len(p), nil
}

func (c chunks) Close() error {
	_, err := io.WriteString(c.to, "0\r\n\r\n")
	return err
}

func TestABodyThatTricklesIsEndedAndASlowOneIsNot(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		first, size, step int // bytes at once, bytes of the body, bytes a second
		want              int
	}{
		"one byte a second":             {0, 8 << 20, 1, http.StatusRequestTimeout},
		"much, and then nearly none":    {80 << 10, 8 << 20, 1 << 10, http.StatusRequestTimeout},
		"small and slow":                {0, 40 << 10, 1 << 10, http.StatusAccepted},
		"nothing for the first seconds": {0, 8, 1, http.StatusAccepted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := servePipes(t, withIntake(&taker{}))
				start := time.Now()
				c := p.begin(t, "/async-function/f", "Content-Length: "+strconv.Itoa(tt.size), "")
				go func() {
					_, err := io.WriteString(c, strings.Repeat("b", tt.first))
					for sent := tt.first; err == nil && sent < tt.size; sent += tt.step {
						time.Sleep(time.Second)
						_, err = io.WriteString(c, strings.Repeat("b", min(tt.step, tt.size-sent)))
					}
				}()
				if got := statusOf(c); got != tt.want {
					t.Errorf("the answer is %d after %s", got, time.Since(start))
				}
				if took := time.Since(start); tt.want == http.StatusRequestTimeout && took > 2*bodyGrace {
					t.Errorf("it ended after %s", took)
				}
				_ = c.Close()
				time.Sleep(time.Minute) // the server lingers before it closes a connection
			})
		})
	}
}

func TestHonestLargeUploadsAtOnceAllSucceed(t *testing.T) {
	t.Parallel()
	r, k := newIngestRig(t, func(o *Options) { o.Ingest.MaxBytes = 8 << 20 })
	r.ingest.room.timeout = time.Minute // of a loaded machine
	big := strings.Repeat("a", 8<<20)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			got := r.ask(t, http.MethodPost, "/async-function/f", carrying(big), func(req *http.Request) {
				if i%2 == 0 {
					req.ContentLength = -1
				}
			})
			if got.status != http.StatusAccepted {
				t.Errorf("an upload is answered with %d %s", got.status, got.body)
			}
		})
	}
	all.Wait()
	if k.count() != 8 || !r.ingest.room.large.TryAcquire(bodyBytes*3/4) || !r.ingest.room.small.TryAcquire(bodyBytes/4) {
		t.Errorf("%d were taken, or memory was not given back", k.count())
	}
}
