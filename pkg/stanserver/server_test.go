package stanserver

import (
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/stan.go"
	"github.com/nats-io/stan.go/pb"
	"go.uber.org/goleak"

	"queue-worker/internal/testkit"
)

// patience bounds every wait for something that must happen; no test depends on it.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if dir := os.Getenv("BROKER_TEST_HOLD_DIR"); dir != "" {
		holdDir(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// holdDir is the other process of the test of a folder in use.
func holdDir(dir string) {
	s, err := Start(Options{Listen: "127.0.0.1:0", Cluster: "faas-cluster", Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("holding")
	_, _ = os.Stdin.Read(make([]byte, 1)) // until the parent hangs up
	s.Close()
}

func start(t *testing.T, o Options) *Server {
	t.Helper()
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	o.Cluster, o.WorkerPrefix = "faas-cluster", "faas-worker-"
	if o.Queues == nil {
		o.Queues = []string{"faas-request"}
	}
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func connect(t *testing.T, url, id string, opts ...nats.Option) stan.Conn {
	t.Helper()
	c, err := stan.Connect("faas-cluster", id, stan.NatsURL(url), stan.NatsOptions(opts...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// worker connects as the intake does, past the listener.
func worker(t *testing.T, s *Server) stan.Conn {
	t.Helper()
	return connect(t, s.URL(), "faas-worker-host", nats.InProcessServer(s))
}

// receive subscribes as the worker does and returns the first n messages, acknowledged.
func receive(t *testing.T, c stan.Conn, n int) []string {
	t.Helper()
	got := make(chan string, n+1)
	sub, err := c.QueueSubscribe("faas-request", "faas", func(m *stan.Msg) {
		_ = m.Ack()
		got <- string(m.Data)
	}, stan.DurableName("faas-request"), stan.SetManualAckMode(), stan.DeliverAllAvailable())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	var all []string
	for range n {
		select {
		case m := <-got:
			all = append(all, m)
		case <-time.After(patience):
			t.Fatalf("got %d of %d messages", len(all), n)
		}
	}
	return all
}

func publish(t *testing.T, c stan.Conn, messages ...string) {
	t.Helper()
	for _, m := range messages {
		if err := c.Publish("faas-request", []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatIsPublishedArrives(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"", t.TempDir()} {
		s := start(t, Options{Dir: dir})
		publish(t, connect(t, s.URL(), "gateway"), "a", "b")
		switch got := receive(t, worker(t, s), 2); {
		case got[0] != "a":
			t.Errorf("dir %q: got %q: got[0] = %q, want \"a\"", dir, got, got[0])
		case got[1] != "b":
			t.Errorf("dir %q: got %q: got[1] = %q, want \"b\"", dir, got, got[1])
		}
	}
}

func TestUnconsumedMessagesOutliveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, Options{Dir: dir})
	gateway := connect(t, s.URL(), "gateway")
	publish(t, gateway, "a", "b")
	reader := worker(t, s)
	receive(t, reader, 2)
	publish(t, gateway, "c", "d")
	_, _ = reader.Close(), gateway.Close()
	s.Close()

	s = start(t, Options{Dir: dir})
	if got := receive(t, worker(t, s), 2); got[0] != "c" || got[1] != "d" {
		t.Errorf("after the restart got %q, want c and d", got)
	}
}

func TestALargeMessagePasses(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	large := strings.Repeat("x", 12<<20)
	publish(t, connect(t, s.URL(), "gateway"), large)
	if got := receive(t, worker(t, s), 1); got[0] != large {
		t.Errorf("got %d bytes, want %d", len(got[0]), len(large))
	}
}

func TestAPausedListenerRefusesPublishersAndKeepsTheOthers(t *testing.T) {
	t.Parallel()
	s := start(t, Options{}) // in memory: only what stays open stays
	gateway := connect(t, s.URL(), "gateway")
	reader := worker(t, s)
	publish(t, gateway, "a")

	s.Pause()
	s.Pause()
	if c, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "nats://")); err == nil {
		c.Close()
		t.Fatal("a paused listener accepts connections")
	}
	if got := receive(t, reader, 1); got[0] != "a" {
		t.Errorf("while paused got %q, want a", got)
	}
	url := s.URL()
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := s.Resume(); err != nil || s.URL() != url {
		t.Fatalf("resumed at %s (%v), want %s", s.URL(), err, url)
	}
	publish(t, connect(t, s.URL(), "gateway-2"), "b")
	if got := receive(t, reader, 1); got[0] != "b" {
		t.Errorf("after the pause got %q, want b", got)
	}
}

func TestAPortThatIsGoneAfterAPauseIsAnErrorUntilItIsBack(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	s.Pause()
	ln, err := net.Listen("tcp", strings.TrimPrefix(s.URL(), "nats://"))
	if err != nil {
		t.Skip("another test took the port: ", err)
	}
	if err := s.Resume(); err == nil {
		t.Fatalf("resumed on a port that somebody else has: err = %v, want an error", err)
	}
	_ = ln.Close()
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	publish(t, connect(t, s.URL(), "gateway"), "a")
}

func TestWithoutAFolderNoFileIsWritten(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("TMPDIR", dir)
	s := start(t, Options{})
	publish(t, connect(t, s.URL(), "gateway"), "a")
	receive(t, worker(t, s), 1)
	s.Close()
	left, err := os.ReadDir(dir)
	switch {
	case err != nil:
		t.Errorf("files were written: %v (%v): err = %v, want nil", left, err, err)
	case len(left) != 0:
		t.Errorf("files were written: %v (%v), want len 0", left, err)
	}
}

func TestATakenPortIsOneClearError(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = Start(Options{Listen: ln.Addr().String(), Cluster: "c", Dir: t.TempDir()})
	switch {
	case err == nil:
		t.Errorf("error is %v; it must name the address and the setting, want an error", err)
	case !strings.Contains(err.Error(), ln.Addr().String()):
		t.Errorf("error is %v; it must name the address and the setting, want %q in it", err, ln.Addr().String())
	case !strings.Contains(err.Error(), "stan_listen_address"):
		t.Errorf("error is %v; it must name the address and the setting, want \"stan_listen_address\" in it", err)
	}
}

func TestAFolderInUseIsOneClearError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := exec.Command(os.Args[0]) // #nosec G115 -- this test's own binary
	other.Env = append(os.Environ(), "BROKER_TEST_HOLD_DIR="+dir)
	in, _ := other.StdinPipe()
	out, _ := other.StdoutPipe()
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 64)
	if n, _ := out.Read(line); string(line[:n]) != "holding\n" {
		t.Fatalf("the other process says %q: string(line[:n]) = %q, want \"holding\\n\"", line[:n], string(line[:n]))
	}
	_, err := Start(Options{Listen: "127.0.0.1:0", Cluster: "c", Dir: dir})
	switch {
	case err == nil:
		t.Errorf("error is %v, want an error", err)
	case !strings.Contains(err.Error(), "in use by another process"):
		t.Errorf("error is %v, want \"in use by another process\" in it", err)
	}
	_ = in.Close()
	_ = other.Wait()
	start(t, Options{Dir: dir})
}

func TestAnotherClusterNameIsAnErrorAndLeavesNothingOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, Options{Dir: dir}).Close()
	switch _, err := Start(Options{Listen: "127.0.0.1:0", Cluster: "other", Dir: dir}); {
	case err == nil:
		t.Errorf("error is %v, want an error", err)
	case !strings.Contains(err.Error(), "cluster ID"):
		t.Errorf("error is %v, want \"cluster ID\" in it", err)
	}
	start(t, Options{Dir: dir})
}

func TestATornRecordIsCutOffAndTheRestIsThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, Options{Dir: dir})
	gateway := connect(t, s.URL(), "gateway")
	publish(t, gateway, "a", "CANARY-body")
	_ = gateway.Close()
	s.Close()
	tear(t, dir, 3)

	var log testkit.Log
	s = start(t, Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	publish(t, connect(t, s.URL(), "gateway"), "c")
	if got := receive(t, worker(t, s), 2); got[0] != "a" || got[1] != "c" {
		t.Errorf("after the repair got %q, want a and c", got)
	}
	switch {
	case !strings.Contains(log.String(), "incomplete last record truncated"):
		t.Errorf("the log must report the repair and hold no content, want \"incomplete last record truncated\" in it\n%s", log.String())
	case strings.Contains(log.String(), "CANARY"):
		t.Errorf("the log must report the repair and hold no content, want no \"CANARY\" in it\n%s", log.String())
	}
}

// tear cuts n bytes off the channel's data file and removes its index, as a crash
// in the middle of a write leaves them.
func tear(t *testing.T, dir string, n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), "msgs.") {
			return err
		}
		if strings.HasSuffix(path, ".idx") {
			return os.Remove(path)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.Truncate(path, info.Size()-n)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheLogHoldsNoContentOfARefusedPublish(t *testing.T) {
	t.Parallel()
	var log testkit.Log
	s := start(t, Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	stranger := &pb.PubMsg{ClientID: "stranger", Guid: "g", Subject: "faas-request", Data: []byte("CANARY-body")}
	raw, err := stranger.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Request("_STAN.pub.faas-cluster.faas-request", raw, patience); err != nil {
		t.Fatal(err)
	}
	switch {
	case !strings.Contains(log.String(), "refused a publish"):
		t.Errorf("the log must report the refusal and hold no content, want \"refused a publish\" in it\n%s", log.String())
	case strings.Contains(log.String(), "CANARY"):
		t.Errorf("the log must report the refusal and hold no content, want no \"CANARY\" in it\n%s", log.String())
	}
}
