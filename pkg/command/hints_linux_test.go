package command

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"queue-worker/pkg/stanserver"
)

// taken is an address that another process listens on.
func taken(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// tornStan is a data_dir whose embedded NATS Streaming has a damaged file.
func tornStan(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s, err := stanserver.Start(stanserver.Options{Listen: "127.0.0.1:0", Cluster: "faas-cluster", Queues: []string{"faas-request"}, Dir: filepath.Join(dir, "stan")})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := os.WriteFile(filepath.Join(dir, "stan", "server.dat"), []byte("this was a file of the server once"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAHintFitsItsCause(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	free := "--gateway-listen 127.0.0.1:0 --stan-listen 127.0.0.1:0 --http-listen 127.0.0.1:0 --data NEW"
	const anyPort = "http_listen_address=127.0.0.1:0"
	busy := taken(t)
	for _, tt := range []struct {
		name, environ, line string
		code                int
		want                string
	}{
		{"a data_dir that is a file", "data_dir=" + file, "", exitFailed, "a file is in the place of a folder; set data_dir to a folder"},
		{"a data_dir below a file", "data_dir=" + file + "/x", "", exitFailed, "a file is in the place of a folder; set data_dir to a folder"},
		{"a check of a file", "", "store check --data-dir " + file, exitFailed, "a file is in the place of a folder"},
		{"doctor and a file", "data_dir=" + file, "doctor --server http://127.0.0.1:1", exitFailed, "Set data_dir to a folder on a volume that the worker can write."},
		{"a data_dir in /proc", "data_dir=/proc/x", "", exitFailed, "nothing can be stored there; set data_dir to a folder on a volume of this machine"},
		{"doctor and /proc", "data_dir=/proc/x", "doctor --server http://127.0.0.1:1", exitFailed, "nothing can be stored there"},
		{"a data_dir in the home folder", "data_dir=~/x", "", exitUsage, `data_dir="~/x": expected none, or a path, without the ~ of shells`},
		{"a secret in the home folder", "secret_mount_path=~/x", "", exitUsage, `secret_mount_path="~/x": expected a path, without the ~ of shells`},
		{"a check in the home folder", "", "store check --data-dir=~/x", exitUsage, "--data-dir ~/x: only shells replace the ~"},
		{"damaged files of embedded NATS Streaming", "stan_embedded=true stan_listen_address=127.0.0.1:0 data_dir=" + tornStan(t), "", exitFailed,
			"its files are damaged: copy the folder, then move it away and start again"},
		{"a port that is taken", "http_listen_address=" + busy, "", exitFailed, "http_listen_address " + busy},
		{"a port of dev that is taken", "", "dev " + free + " --http-listen " + busy, exitFailed, "--http-listen " + busy},
		{"the port of NATS Streaming of dev", "", "dev " + free + " --stan-listen " + busy, exitFailed, "choose another --stan-listen"},
		{"the port of the gateway of dev", "", "dev " + free + " --gateway-listen " + busy, exitFailed, "choose another with --gateway-listen"},
		{"the port of the function of dev", "", "dev " + free + " --chaos-listen " + busy, exitFailed, "choose another with --chaos-listen"},
		{"an address of dev without a host", "", "dev " + free + " --http-listen 8081", exitUsage, `--http-listen "8081": expected an address`},
		{"the folder of dev is a file", "", "dev " + free + " --data " + file, exitFailed, "set --data to a folder"},
		{"the folder of dev in the home folder", "", "dev " + free + " --data=~/x", exitUsage, `--data="~/x": expected none, or a path, without the ~ of shells`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			environ := append([]string{anyPort}, strings.Fields(tt.environ)...)
			got := with(environ, strings.Fields(strings.ReplaceAll(tt.line, "NEW", t.TempDir()))...)
			if got.code != tt.code {
				t.Errorf("exit code %d, want %d", got.code, tt.code)
			}
			if said := got.stdout + got.stderr; !strings.Contains(said, tt.want) {
				t.Errorf("it says %s, want %q in it", said, tt.want)
			}
			if strings.Contains(got.stderr, "store check` on it") {
				t.Errorf("it says %s, want no check of the store", got.stderr)
			}
		})
	}
}
