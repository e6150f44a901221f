// File postgres.go runs a PostgreSQL of this machine's programs, for several workers.

package dev

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// PostgresFolder is the folder of the cluster below that of the stand.
const PostgresFolder = "postgres"

// postgresUser owns the cluster, and is who the workers log in as.
const postgresUser = "queue-worker"

// Waits for the server.
const (
	postgresPeriod  = 20 * time.Millisecond
	postgresTimeout = time.Minute
)

// errNoPostgres says in one line what to do.
var errNoPostgres = errors.New("no PostgreSQL is installed on this machine: type `sudo apt-get install -y --no-install-recommends postgresql`, " +
	"or give the URL of one that runs, such as --postgres=postgres://queue-worker@127.0.0.1:5432/queue")

// Postgres is a server that only this user's processes can reach, by a socket in a private folder.
type Postgres struct {
	process *Child
	sockets string
	log     string // file of its lines
}

// StartPostgres starts a server whose cluster is below dir, and makes that when it is missing.
func StartPostgres(ctx context.Context, dir string) (*Postgres, error) {
	bin, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	owner, err := postgresOwner()
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(filepath.Join(dir, PostgresFolder))
	if err == nil {
		err = makeOwned(dir, owner)
	}
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); errors.Is(err, fs.ErrNotExist) {
		if err := initCluster(ctx, bin, dir, data, owner); err != nil {
			return nil, err
		}
	}
	// The path of a socket has at most 107 bytes, so it is not below dir.
	sockets, err := os.MkdirTemp("", "queue-worker-postgres-")
	if err == nil {
		err = makeOwned(sockets, owner)
	}
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(bin, "postgres"), "-D", data, "-k", sockets, "-c", "listen_addresses=") // #nosec G204 -- a program of PostgreSQL
	cmd.Dir = dir
	runAs(cmd, owner)
	p := &Postgres{sockets: sockets, log: dir + ".log"}
	out, err := os.Create(p.log)
	if err == nil {
		p.process, err = StartChild(cmd, stopAtOnce, out)
		err = errors.Join(err, out.Close())
	}
	if err == nil {
		err = p.await(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// initCluster makes a cluster, beside its place first so that one that is half made is not used.
func initCluster(ctx context.Context, bin, dir, data string, owner *owner) error {
	made := data + ".new"
	if err := os.RemoveAll(made); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "--pgdata", made, "--username", postgresUser, // #nosec G204 -- a program of PostgreSQL
		"--auth-local", "trust", "--auth-host", "reject", "--encoding", "UTF8", "--locale", "C")
	cmd.Dir = dir
	runAs(cmd, owner)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s\nchoose with --data a folder that the user of PostgreSQL can enter, such as one in /tmp", err, out)
	}
	return os.Rename(made, data)
}

// await waits until the server listens.
func (p *Postgres) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, postgresTimeout, errors.New("PostgreSQL does not answer"))
	defer cancel()
	socket := filepath.Join(p.sockets, ".s.PGSQL.5432")
	var d net.Dialer
	for {
		if c, err := d.DialContext(ctx, "unix", socket); err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.process.Ended():
			return fmt.Errorf("PostgreSQL has ended: %s says why", p.log)
		case <-time.After(postgresPeriod):
		}
	}
}

// URL is store_url for this server.
func (p *Postgres) URL() string {
	return "postgres://" + postgresUser + "@/postgres?host=" + url.QueryEscape(p.sockets)
}

// Pid is the server's process.
func (p *Postgres) Pid() int { return p.process.Pid() }

// Close ends the server. Its cluster stays.
func (p *Postgres) Close() error {
	if p.process != nil {
		p.process.Stop()
	}
	return os.RemoveAll(p.sockets)
}

// makeOwned makes a folder for an owner alone.
func makeOwned(dir string, owner *owner) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { // #nosec G301 -- the owner has to enter it
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if owner == nil {
		return nil
	}
	return os.Chown(dir, owner.uid, owner.gid)
}

// postgresPlaces are where the programs of PostgreSQL are on the systems that are known.
var postgresPlaces = []string{
	"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/lib/postgresql*/bin", "/usr/local/pgsql/bin",
	"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin", "/Applications/Postgres.app/Contents/Versions/*/bin",
}

// postgresPrograms is the folder of the latest version, or that of the PATH.
func postgresPrograms() (string, error) {
	best, latest := "", -1
	for _, place := range postgresPlaces {
		found, _ := filepath.Glob(filepath.Join(place, "postgres")) // the patterns are valid
		for _, file := range found {
			if v := versionIn(file); v > latest {
				best, latest = filepath.Dir(file), v
			}
		}
	}
	if best != "" {
		return best, nil
	}
	if file, err := exec.LookPath("postgres"); err == nil {
		if file, err = filepath.EvalSymlinks(file); err == nil {
			return filepath.Dir(file), nil
		}
	}
	return "", errNoPostgres
}

// versionIn is the number in the name of the folder above that of a program; 0 for none.
func versionIn(file string) int {
	n := 0
	for _, c := range filepath.Base(filepath.Dir(filepath.Dir(file))) {
		if c >= '0' && c <= '9' {
			n = n*10 + int(c-'0')
		}
	}
	return n
}
