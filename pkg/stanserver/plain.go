// File plain.go runs NATS Streaming as it is, for `queue-worker dev` with several workers.

package stanserver

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	streaming "github.com/nats-io/nats-streaming-server/server"
	"github.com/nats-io/nats-streaming-server/stores"
)

// plainWait is how long the server may take to listen.
const plainWait = 30 * time.Second

// StartPlain starts a server that every client may use for everything, as OpenFaaS runs it: workers in
// other processes read from it. It has no protection, so Options.Listen has to be of loopback. Of
// the options it needs Listen, Cluster, Dir and Logger.
func StartPlain(o Options) (stop func(), err error) {
	host, text, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("NATS Streaming does not listen on %q: it has no authentication, so give a loopback address", o.Listen)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	// The server itself would try for a long time.
	l, err := net.Listen("tcp", o.Listen) //nolint:noctx // it is closed at once
	if err != nil {
		return nil, fmt.Errorf("NATS Streaming: %w: end what holds the port, or choose another", err)
	}
	_ = l.Close()
	stop, err = runPlain(o, host, port, false)
	if err != nil && strings.Contains(err.Error(), io.ErrUnexpectedEOF.Error()) {
		stop, err = runPlain(o, host, port, true) // what a kill tore off was never confirmed
	}
	if err != nil {
		return nil, fmt.Errorf("NATS Streaming on %s: %w", o.Listen, err)
	}
	return stop, nil
}

func runPlain(o Options, host string, port int, repair bool) (stop func(), err error) {
	defer func() {
		if r := recover(); r != nil {
			stop, err = nil, fmt.Errorf("%v", r)
		}
	}()
	ns, err := natsserver.NewServer(&natsserver.Options{Host: host, Port: port, NoSigs: true, NoLog: true, MaxPayload: DefaultMaxPayload})
	if err != nil {
		return nil, err
	}
	ns.Start()
	if !ns.ReadyForConnections(plainWait) {
		ns.Shutdown()
		return nil, errors.New("it does not answer")
	}
	so := streaming.GetDefaultOptions()
	so.ID, so.CustomLogger = o.Cluster, &serverLog{o.Logger}
	so.NATSServerURL = ns.ClientURL()
	so.StoreType, so.FilestoreDir = stores.TypeFile, o.Dir
	so.FileStoreOpts.DoSync, so.FileStoreOpts.TruncateUnexpectedEOF = true, repair
	// A worker that was killed is noticed within seconds, and its messages go to another one.
	so.ClientHBInterval, so.ClientHBTimeout, so.ClientHBFailCount = heartbeatInterval, heartbeatTimeout, heartbeatFails
	s, err := streaming.RunServerWithOpts(so, nil)
	if err != nil {
		ns.Shutdown()
		return nil, err
	}
	return func() { s.Shutdown(); ns.Shutdown() }, nil
}
