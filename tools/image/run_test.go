package main

// The image runs as charts run it: under each of its names, with the environment
// of each generation of charts, as 65532, with and without a volume.

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// charts are the environments that charts since 2021 have given their worker.
func charts(t *testing.T) map[string][]string {
	t.Helper()
	paths, err := filepath.Glob("../../pkg/config/testdata/charts/*.env")
	switch {
	case err != nil:
		t.Fatalf("%v, want nil", err)
	case len(paths) < 6:
		t.Fatalf("%d environments, want at least 6", len(paths))
	}
	found := map[string][]string{}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimSuffix(filepath.Base(p), ".env")] = strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	return found
}

// commands are how charts start the worker: the Community Edition by the image,
// the others by name.
var commands = map[string][]string{
	"2021-community":           {"/usr/bin/queue-worker"},
	"2022-2025-community":      {"/worker", "-license-file=/var/secrets/license/license"},
	"2022-faasd":               {"/worker", "-license-file=/run/secrets/openfaas-license"},
	"2026-community":           {"/usr/bin/queue-worker"},
	"2026-jetstream":           {"/usr/bin/jetstream-queue-worker", "-license-file=/var/secrets/license/license", "-pprof=true"},
	"2026-jetstream-one-queue": {"/usr/bin/jetstream-queue-worker", "-license-file=/var/secrets/license/license"},
}

func TestEveryGenerationOfChartsStartsIt(t *testing.T) {
	t.Parallel()
	c := unpack(t)
	for name, environ := range charts(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkSettings(t, c, environ)
			w := c.start(t, environ, commands[name]...)
			if got := status(t, w.url+"/healthz"); got != http.StatusOK {
				t.Errorf("/healthz is %d, want %d", got, http.StatusOK)
			}
			if got := status(t, w.url+"/readyz"); got != http.StatusServiceUnavailable {
				t.Errorf("/readyz is %d without NATS Streaming, want %d", got, http.StatusServiceUnavailable)
			}
			if err := w.stop(t); err != nil {
				t.Errorf("after SIGTERM: %v, want nil", err)
			}
			jetstream := strings.Contains(name, "jetstream")
			if w.said("is not read; this worker reads") != jetstream {
				t.Errorf("says that the stream of the commercial gateway is not read: got %t, want %t", !jetstream, jetstream)
			}
			if !w.said("data_dir is not set") {
				t.Error("nothing is said of the missing volume: w.said(\"data_dir is not set\") = false, want true")
			}
		})
	}
}

// setting is one line of `queue-worker config -o json`.
type setting struct{ Name, Value, From string }

// checkSettings asks the program in the container what it makes of its
// environment: each variable is a setting in force, or one that is reported to be
// without meaning.
func checkSettings(t *testing.T, c container, environ []string) {
	t.Helper()
	out, err := c.command(t.Context(), environ, "/usr/bin/queue-worker", "config", "-o", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var known struct {
		Settings []setting
		Problems []string
		Ignored  []string
	}
	if err := json.Unmarshal(out, &known); err != nil {
		t.Fatal(err)
	}
	if len(known.Problems) > 0 {
		t.Errorf("problems: %v, want len 0", known.Problems)
	}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		foreign := strings.ToUpper(name) == name || value == "" // Kubernetes' own, and what is left at its default
		set := slices.ContainsFunc(known.Settings, func(s setting) bool {
			return s.Name == name && s.Value == value && s.From == "environment"
		})
		ignored := slices.Contains(known.Ignored, name)
		if !foreign && !set && !ignored {
			t.Errorf("%s is neither in force nor reported to be ignored", e)
		}
	}
}

func status(t *testing.T, url string) int {
	t.Helper()
	resp, err := http.Get(url) // #nosec G107 -- of the worker that the test has started
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func TestWithoutAVolumeNothingIsWritten(t *testing.T) {
	t.Parallel()
	c := unpack(t)
	before := below(t, c.root)
	w := c.start(t, []string{"stan_embedded=true", "stan_listen_address=127.0.0.1:0"}, "/usr/bin/queue-worker")
	if err := w.stop(t); err != nil {
		t.Errorf("after SIGTERM: %v, want nil", err)
	}
	if after := below(t, c.root); !slices.Equal(before, after) {
		t.Errorf("files are %v, want %v as before", after, before)
	}
}

func TestWithAVolumeNothingIsWrittenBesideIt(t *testing.T) {
	t.Parallel()
	c := unpack(t)
	c.volume(t, "/var/lib/queue-worker")
	outside := func() (list []string) {
		for _, p := range below(t, c.root) {
			if !strings.HasPrefix(p, "var/lib/queue-worker/") {
				list = append(list, p)
			}
		}
		return list
	}
	before := outside()
	environ := []string{"stan_embedded=true", "stan_listen_address=127.0.0.1:0", "data_dir=" + c.path("/var/lib/queue-worker/data")}
	for range 2 { // the second finds what the first has left
		w := c.start(t, environ, "/worker")
		if err := w.stop(t); err != nil {
			t.Errorf("after SIGTERM: %v, want nil", err)
		}
	}
	if after := outside(); !slices.Equal(before, after) {
		t.Errorf("files are %v, want %v as before", after, before)
	}
	if len(below(t, c.root)) <= len(before) {
		t.Errorf("nothing was written to the volume, want more than %d", len(before))
	}
}

// below lists everything below a folder.
func below(t *testing.T, root string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		list = append(list, rel)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
