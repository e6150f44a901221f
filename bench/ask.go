// File ask.go makes the requests of the benchmark itself: to its functions, and for metrics.

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Series that workers report their allocations by.
const (
	mallocsMetric   = "go_memstats_mallocs_total"
	allocatedMetric = "go_memstats_alloc_bytes_total"
)

// metricsTimeout bounds one look at the metrics.
const metricsTimeout = 10 * time.Second

// ask makes a request to the functions' own endpoints and decodes a JSON answer.
func ask(ctx context.Context, port, method, path string, answer any) error {
	b, err := read(ctx, port, method, path)
	if err != nil || answer == nil {
		return err
	}
	return json.Unmarshal(b, answer)
}

// read makes a request and returns the body of its answer, which has to be 200.
func read(ctx context.Context, port, method, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://127.0.0.1:"+port+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s answers %s", method, path, res.Status)
	}
	return io.ReadAll(res.Body)
}

// metrics reads series without labels; all of them have to be there.
func metrics(port string, names ...string) ([]float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), metricsTimeout)
	defer cancel()
	b, err := read(ctx, port, http.MethodGet, "/metrics")
	if err != nil {
		return nil, err
	}
	values, found := make([]float64, len(names)), 0
	lines := bufio.NewScanner(strings.NewReader(string(b)))
	for lines.Scan() {
		for i, name := range names {
			if rest, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
				if values[i], err = strconv.ParseFloat(rest, 64); err != nil {
					return nil, err
				}
				found++
			}
		}
	}
	if found != len(names) {
		return nil, errors.New("a metric is missing")
	}
	return values, nil
}
