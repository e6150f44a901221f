// Package pgtest starts a real PostgreSQL for tests: a private cluster in a temporary folder, one
// for each test binary, with a fresh database for each test. A server that is missing is installed
// when the test runs as root, otherwise the test fails with the line to type: it never skips.
package pgtest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server may take to start, on a machine that is busy with other things.
const patience = time.Minute

var shared struct {
	once   sync.Once
	server *Server
	err    error
}

// databases counts those that were made.
var databases atomic.Int64

// Database makes an empty database on the server of this test binary, and returns its URL.
func Database(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() { shared.server, shared.err = Start("fsync=off", "full_page_writes=off") })
	if shared.err != nil {
		t.Fatalf("PostgreSQL for tests: %v", shared.err)
	}
	name := fmt.Sprintf("test_%d", databases.Add(1))
	if err := shared.server.Query("postgres", "CREATE DATABASE "+name); err != nil {
		t.Fatalf("PostgreSQL for tests: %v", err)
	}
	return shared.server.URL(name)
}

// Stop ends the server of this test binary. TestMain calls it after the tests.
func Stop() {
	if shared.server != nil {
		shared.server.Stop()
	}
}

// Server is one PostgreSQL.
type Server struct {
	port     int
	bin, dir string
	settings []string
	owner    *syscall.Credential // nil when the test is not root
	process  *exec.Cmd
	exited   chan struct{}
}

// Start starts a server with an empty cluster and settings of the form name=value.
func Start(settings ...string) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, settings: settings}
	if s.dir, err = os.MkdirTemp("", "pgtest-"); err != nil {
		return nil, err
	}
	if err := s.ownFolder(); err != nil {
		return nil, err
	}
	if err := s.run("initdb", "--pgdata", s.data(), "--username", "postgres", "--auth", "trust", "--no-sync", "--encoding", "UTF8", "--locale", "C"); err != nil {
		return nil, err
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	return s, s.Restart()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// URL is the address of a database.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// Query runs statements in a database.
func (s *Server) Query(database, statements string) error {
	return s.run("psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", s.URL(database), "--command", statements)
}

// Restart starts the server again after Kill or Stop, on the same port, and returns when it answers.
func (s *Server) Restart() error {
	args := []string{"-D", s.data(), "-p", strconv.Itoa(s.port), "-k", s.dir, "-c", "listen_addresses=127.0.0.1",
		"-c", "max_connections=200", "-c", "shared_buffers=32MB"}
	for _, x := range s.settings {
		args = append(args, "-c", x)
	}
	s.process = s.command("postgres", args...)
	var out bytes.Buffer
	s.process.Stdout, s.process.Stderr = &out, &out
	if err := s.start(); err != nil {
		return err
	}
	for late := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		select {
		case <-s.exited:
			return fmt.Errorf("the server has ended: %s", out.Bytes())
		default:
		}
		if s.run("pg_isready", "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port)) == nil {
			return nil
		}
		if time.Now().After(late) {
			s.Kill()
			return fmt.Errorf("the server does not answer after %s", patience)
		}
	}
}

// Kill ends the server as a crash does, with all its processes.
func (s *Server) Kill() {
	_ = syscall.Kill(-s.process.Process.Pid, syscall.SIGKILL) // it may have ended
	<-s.exited
}

// Stop ends the server and removes its folder.
func (s *Server) Stop() {
	_ = s.process.Process.Signal(syscall.SIGQUIT)
	<-s.exited
	_ = os.RemoveAll(s.dir)
}

// run runs one of PostgreSQL's programs to its end.
func (s *Server) run(program string, args ...string) error {
	if out, err := s.command(program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, out)
	}
	return nil
}

// programs finds the folder of PostgreSQL's programs, and installs them when that is possible.
func programs() (string, error) {
	if dir := installed(); dir != "" {
		return dir, nil
	}
	const install = "apt-get install -y --no-install-recommends postgresql"
	if os.Getuid() != 0 {
		return "", fmt.Errorf("no server found in /usr/lib/postgresql: type `sudo %s`", install)
	}
	cmd := exec.CommandContext(context.Background(), "apt-get", "install", "-y", "--no-install-recommends", "postgresql")
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if dir := installed(); err == nil && dir != "" {
		return dir, nil
	}
	return "", fmt.Errorf("no server found in /usr/lib/postgresql, and `%s` failed: %w: %s", install, err, out)
}

// Put writes a file for the server alone, into its folder.
func (s *Server) Put(name string, content []byte) (path string, err error) {
	path = filepath.Join(s.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return "", err
	}
	if s.owner == nil {
		return path, nil
	}
	return path, os.Chown(path, int(s.owner.Uid), int(s.owner.Gid))
}

// Port is where the server listens on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// Standby starts a streaming standby with a name.
func (s *Server) Standby(name string) (*Server, error) {
	b := &Server{bin: s.bin, settings: s.settings}
	var err error
	if b.dir, err = os.MkdirTemp("", "pgtest-"); err != nil {
		return nil, err
	}
	if err := b.ownFolder(); err != nil {
		return nil, err
	}
	from := fmt.Sprintf("host=127.0.0.1 port=%d user=postgres application_name=%s", s.port, name)
	if err := b.run("pg_basebackup", "--pgdata", b.data(), "--dbname", from, "--write-recovery-conf", "--checkpoint", "fast", "--no-sync"); err != nil {
		return nil, err
	}
	if b.port, err = freePort(); err != nil {
		return nil, err
	}
	return b, b.Restart()
}

// Promote makes a standby a primary.
func (s *Server) Promote() error { return s.run("pg_ctl", "promote", "--wait", "--pgdata", s.data()) }

// installed is the folder of the latest version, "" for none.
func installed() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is valid
	version := func(file string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(file)))) // 0 sorts first
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

// ownFolder gives the folder to the user postgres when the test is root: the server refuses to run as root.
func (s *Server) ownFolder() error {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return err
	}
	s.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.dir, int(uid), int(gid)) // #nosec G115 -- of 32 bits
}

func freePort() (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
