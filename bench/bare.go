// The bare loop: what a worker would be that keeps nothing.

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/stan.go"
	"github.com/openfaas/faas-provider/types"
)

// runBare is the child. Its settings come from the environment, as a worker's do.
func runBare() error {
	inflight, err1 := strconv.Atoi(os.Getenv("max_inflight"))
	window, err2 := strconv.Atoi(os.Getenv("bare_window"))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	c, err := stan.Connect(cluster, clientID(), stan.NatsURL("nats://"+os.Getenv("faas_nats_address")+":"+os.Getenv("faas_nats_port")))
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: inflight, MaxConnsPerHost: inflight, DisableCompression: true}}
	messages := make(chan *stan.Msg)
	var loops sync.WaitGroup
	for range inflight {
		loops.Go(func() {
			for m := range messages {
				if call(client, os.Getenv("gateway_url"), m.Data) == nil {
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

func call(client *http.Client, gateway string, raw []byte) error {
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
