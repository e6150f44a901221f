// File pooler.go starts PgBouncer in front of a server.

package pgtest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Pooler starts a PgBouncer in a mode, session or transaction, and returns the URL of a database through
// it.
func (s *Server) Pooler(t testing.TB, mode, database string) string {
	t.Helper()
	program, err := bouncer()
	if err != nil {
		t.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	ini, err := s.Put("pgbouncer-"+mode+".ini", fmt.Appendf(nil, `[databases]
%s = host=127.0.0.1 port=%d dbname=%s user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = %s
ignore_startup_parameters = extra_float_digits
`, database, s.port, database, port, mode))
	if err != nil {
		t.Fatal(err)
	}
	p := &Server{bin: filepath.Dir(program), dir: s.dir, owner: s.owner}
	p.process = p.command(filepath.Base(program), ini)
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	for late := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		var d net.Dialer
		if c, err := d.DialContext(t.Context(), "tcp", address); err == nil {
			_ = c.Close()
			break
		}
		if time.Now().After(late) {
			t.Fatalf("PgBouncer does not answer after %s", patience)
		}
	}
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", address, database)
}

// bouncer finds PgBouncer, and installs it when that is possible.
func bouncer() (string, error) {
	const place, install = "/usr/sbin/pgbouncer", "apt-get install -y --no-install-recommends pgbouncer"
	if _, err := os.Stat(place); err == nil {
		return place, nil
	}
	if os.Getuid() != 0 {
		return "", fmt.Errorf("no %s: type `sudo %s`", place, install)
	}
	cmd := exec.CommandContext(context.Background(), "apt-get", "install", "-y", "--no-install-recommends", "pgbouncer")
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("`%s` failed: %w: %s", install, err, out)
	}
	return place, nil
}
