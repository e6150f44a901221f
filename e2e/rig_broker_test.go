package e2e

// NATS Streaming in a process of its own: this test binary again, configured by its
// environment to be the server.

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	streaming "github.com/nats-io/nats-streaming-server/server"
	"github.com/nats-io/nats-streaming-server/stores"
	"github.com/openfaas/nats-queue-worker/handler"
)

// The environment of a broker. The first variable makes the binary one.
const (
	brokerEnv      = "E2E_BROKER_PORT"
	brokerDir      = "E2E_BROKER_DIR"       // of the message files; empty: in memory
	brokerHearts   = "E2E_BROKER_HEARTBEAT" // a duration; empty: the server's default, 30 s
	brokerIsUp     = "the broker is up"
	brokerPayload  = 16 << 20
	defaultCluster = "faas-cluster"
	defaultQueue   = "faas-request"
)

// brokerMain is the broker. It ends with its standard input, and so with its parent.
func brokerMain() int {
	s, err := runBroker(false)
	if err != nil && strings.Contains(err.Error(), io.ErrUnexpectedEOF.Error()) {
		s, err = runBroker(true) // what a kill tore off was never confirmed
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "broker:", err)
		return 1
	}
	fmt.Println(brokerIsUp)
	_, _ = io.Copy(io.Discard, os.Stdin)
	s.Shutdown()
	return 0
}

func runBroker(repair bool) (*streaming.StanServer, error) {
	port, err := strconv.Atoi(os.Getenv(brokerEnv))
	if err != nil {
		return nil, err
	}
	o := streaming.GetDefaultOptions()
	o.ID = defaultCluster
	o.EnableLogging = true
	o.StoreType = stores.TypeMemory
	if dir := os.Getenv(brokerDir); dir != "" {
		o.StoreType, o.FilestoreDir = stores.TypeFile, dir
		o.FileStoreOpts.DoSync = true
		o.FileStoreOpts.TruncateUnexpectedEOF = repair
	}
	if every, err := time.ParseDuration(os.Getenv(brokerHearts)); err == nil {
		o.ClientHBInterval, o.ClientHBTimeout, o.ClientHBFailCount = every, every, 1
	}
	return streaming.RunServerWithOpts(o, &natsserver.Options{
		Host: "127.0.0.1", Port: port, NoSigs: true, MaxPayload: brokerPayload,
	})
}

// broker is a NATS Streaming server that can be killed and started again.
type broker struct {
	*process
	port      int
	dir       string
	heartbeat time.Duration
	publisher *handler.NATSQueue // of this life of the server; made by the first call
}

// newBroker starts a server whose messages outlive it, on a port that stays.
func newBroker(t testing.TB) *broker {
	t.Helper()
	b := &broker{port: freePort(t), dir: t.TempDir()}
	b.start(t)
	return b
}

// newMemoryBroker starts a server as the OpenFaaS chart has it: it forgets all
// when it ends, and begins again at sequence 1.
func newMemoryBroker(t testing.TB) *broker {
	t.Helper()
	b := &broker{port: freePort(t)}
	b.start(t)
	return b
}

// start starts the server, also after a kill.
func (b *broker) start(t testing.TB) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = environment(brokerEnv+"="+strconv.Itoa(b.port), brokerDir+"="+b.dir)
	if b.heartbeat > 0 {
		cmd.Env = append(cmd.Env, brokerHearts+"="+b.heartbeat.String())
	}
	if _, err := cmd.StdinPipe(); err != nil { // held open by cmd until the child ends
		t.Fatal(err)
	}
	b.process = spawn(t, "NATS Streaming", cmd)
	b.publisher = nil
	b.line(t, "its start", func(l string) bool { return l == brokerIsUp })
}

// restart is kill -9 and a new start.
func (b *broker) restart(t testing.TB) {
	t.Helper()
	b.kill()
	b.start(t)
}

func (b *broker) url() string { return "nats://127.0.0.1:" + strconv.Itoa(b.port) }
