// File broker.go is the outside NATS Streaming server, in a process of its own, and publishes to it.

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"
	streaming "github.com/nats-io/nats-streaming-server/server"
	"github.com/nats-io/nats-streaming-server/stores"
	"github.com/nats-io/stan.go"
	"github.com/openfaas/faas-provider/types"
)

const (
	cluster = "faas-cluster"
	channel = "faas-request" // the Community worker reads no other
	group   = "faas"
	durable = "faas-request"
)

// runBroker is the child: NATS Streaming with its store in memory. keep is how
// many messages a channel holds; what is older has been consumed.
func runBroker(keep string) error {
	n, err := strconv.Atoi(keep)
	if err != nil {
		return err
	}
	so := streaming.GetDefaultOptions()
	so.ID = cluster
	so.StoreType = stores.TypeMemory
	so.MaxMsgs, so.MaxBytes = n, 0 // 0: no bound
	s, err := streaming.RunServerWithOpts(so, &natsd.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	if err != nil {
		return err
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(s.ClientURL(), "nats://"), ":")
	fmt.Println(port)
	untilClosed()
	s.Shutdown()
	return nil
}

// publish puts n messages on the channel of an outside server and waits for their acks.
func publish(port string, n int, message func(i int) ([]byte, error)) error {
	return publishTo("nats://127.0.0.1:"+port, n, message)
}

func publishTo(url string, n int, message func(i int) ([]byte, error)) error {
	c, err := stan.Connect(cluster, "bench-publisher", stan.NatsURL(url), stan.MaxPubAcksInflight(1024))
	if err != nil {
		return err
	}
	var acks sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for i := range n {
		m, err := message(i)
		if err != nil {
			return err
		}
		acks.Add(1)
		_, err = c.PublishAsync(channel, m, func(_ string, err error) {
			if err != nil {
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
			}
			acks.Done()
		})
		if err != nil {
			return err
		}
	}
	acks.Wait()
	return errors.Join(failed, c.Close())
}

// message is a QueueRequest as the gateway publishes it for
// `curl gateway:8080/async-function/<function>/<run>?n=<n> -d <body>`.
func message(function, run string, n int64, body int) ([]byte, error) {
	return messageWith("", function, run, n, body)
}

// messageWith is a message whose result goes to a URL, if there is one.
func messageWith(callback, function, run string, n int64, body int) ([]byte, error) {
	r := types.QueueRequest{
		Header: http.Header{
			"Accept":         {"*/*"},
			"Content-Length": {strconv.Itoa(body)},
			"Content-Type":   {"application/x-www-form-urlencoded"},
			"User-Agent":     {"curl/7.88.1"},
			"X-Call-Id":      {fmt.Sprintf("%08x-0000-4000-8000-%012x", time.Now().Unix(), n&0xffffffffffff)},
			"X-Start-Time":   {strconv.FormatInt(time.Now().UnixNano(), 10)},
		},
		Host:        "gateway:8080",
		Body:        []byte(strings.Repeat("x", body)),
		Method:      http.MethodPost,
		Path:        "/" + run,
		QueryString: "n=" + strconv.FormatInt(n, 10),
		Function:    function,
	}
	if callback != "" {
		r.Header.Set("X-Callback-Url", callback)
	}
	return json.Marshal(r)
}
