// File bare.go is the bare loop: what a worker would be that keeps nothing. It receives, decodes
// with encoding/json, calls over pooled connections and acks.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/stan.go"
	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/invoke"
	"queue-worker/pkg/stanserver"
)

// bareClient is a way to call functions.
type bareClient func(raw []byte) error

// runBare is the child. Its settings come from the environment, as a worker's do.
func runBare() error {
	inflight, err1 := strconv.Atoi(os.Getenv("max_inflight"))
	window, err2 := strconv.Atoi(os.Getenv("bare_window"))
	gateway, err3 := url.Parse(os.Getenv("gateway_url"))
	if err := errors.Join(err1, err2, err3, reportAllocations(os.Getenv("http_listen_address"))); err != nil {
		return err
	}
	call := onNetHTTP(inflight, gateway.String())
	if os.Getenv("bare_client") == "ours" {
		call = onOurClient(inflight, gateway)
	}
	server, closeServer, err := bareServer(os.Getenv("bare_dir"))
	if err != nil {
		return err
	}
	defer closeServer()
	c, err := stan.Connect(cluster, clientID(), server)
	if err != nil {
		return err
	}
	messages := make(chan *stan.Msg)
	var loops sync.WaitGroup
	for range inflight {
		loops.Go(func() {
			for m := range messages {
				if call(m.Data) == nil {
					_ = m.Ack()
				}
			}
		})
	}
	_, err = c.QueueSubscribe(channel, group, func(m *stan.Msg) { messages <- m },
		stan.DurableName(durable), stan.DeliverAllAvailable(), stan.SetManualAckMode(),
		stan.MaxInflight(window), stan.AckWait(time.Minute))
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	<-stop
	return c.Close() // the durable subscription stays
}

// bareServer is where the bare loop connects: an outside server, or with a folder an embedded one of its own.
func bareServer(dir string) (stan.Option, func(), error) {
	if dir == "" {
		return stan.NatsURL("nats://" + os.Getenv("faas_nats_address") + ":" + os.Getenv("faas_nats_port")), func() {}, nil
	}
	s, err := startEmbedded(dir)
	if err != nil {
		return nil, nil, err
	}
	c, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		s.Close()
		return nil, nil, err
	}
	return stan.NatsConn(c), func() { c.Close(); s.Close() }, nil
}

// startEmbedded is the embedded server as the worker starts it.
func startEmbedded(dir string) (*stanserver.Server, error) {
	return stanserver.Start(stanserver.Options{Listen: "127.0.0.1:0", Cluster: cluster, Queues: []string{channel}, WorkerPrefix: "faas-worker-", Dir: dir})
}

func onNetHTTP(inflight int, gateway string) bareClient {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: inflight, MaxConnsPerHost: inflight, DisableCompression: true}}
	return func(raw []byte) error {
		var q types.QueueRequest
		if err := json.Unmarshal(raw, &q); err != nil {
			return err
		}
		req, err := http.NewRequest(http.MethodPost, gateway+"/function/"+q.Function+q.Path+"?"+q.QueryString, bytes.NewReader(q.Body))
		if err != nil {
			return err
		}
		req.Header = q.Header
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
		return err
	}
}

// onOurClient decodes and calls as the worker does.
func onOurClient(inflight int, gateway *url.URL) bareClient {
	client := invoke.New(invoke.Options{Gateway: gateway, MaxInflight: inflight, MaxResponseBytes: 1 << 20, Version: "bench"})
	return func(raw []byte) error {
		q, err := invocation.Decode(raw)
		if err != nil {
			return err
		}
		r := client.Function(context.Background(), invoke.Call{ID: invocation.NewID(time.Now()), CallID: q.CallID(), RetryMax: 10, Request: q})
		if r.Status != http.StatusOK {
			return fmt.Errorf("status %d: %s", r.Status, r.Detail)
		}
		return nil
	}
}

// reportAllocations serves the two series of /metrics that the benchmark reads.
func reportAllocations(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			fmt.Fprintf(w, "%s %d\n%s %d\n", mallocsMetric, m.Mallocs, allocatedMetric, m.TotalAlloc)
		}))
	}()
	return nil
}
