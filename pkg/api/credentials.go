// File credentials.go reads the credentials that OpenFaaS mounts, again when they change.

package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/openfaas/faas-provider/auth"
)

// Files of the secret, as faas-provider names them.
const (
	userFile     = "basic-auth-user"
	passwordFile = "basic-auth-password" // #nosec G101 -- the name of a file
)

const (
	// checkPeriod is how often the files are checked, while there are requests.
	checkPeriod = time.Second
	// settledAge is how old a file must be before its time of change shows
	// versions apart: clocks of file systems are coarse.
	settledAge = 5 * time.Second
)

const challenge = `Basic realm="queue-worker", charset="UTF-8"`

var (
	problemUnauthorized = &problem{
		status: http.StatusUnauthorized, Text: "unauthorized", Reason: unauthorized,
		Hint: "Use the user and password of OpenFaaS's basic-auth secret.",
	}
	problemUnreadable = &problem{
		status: http.StatusForbidden, Text: "admin endpoints are closed: the credentials cannot be read", Reason: forbidden,
		Hint: "Mount the secret with " + userFile + " and " + passwordFile + " at secret_mount_path",
	}
)

// credentials know user and password by their hashes alone.
type credentials struct {
	dir string
	log *slog.Logger

	mu      sync.Mutex
	checked time.Time  // when the files were looked at
	files   [2]version // as they were before they were read
	known   *digests   // nil: not readable
}

// newCredentials reads the files, and warns when that cannot be done.
func newCredentials(dir string, logger *slog.Logger) *credentials {
	c := &credentials{dir: dir, log: logger}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checked = time.Now()
	c.files = c.look()
	var err error
	if c.known, err = c.read(); err != nil {
		c.warn(err)
	}
	return c
}

// check returns the user's name, or why there is none. Whatever is wrong with the
// credentials of a request, the answer is the same and takes the same time.
func (c *credentials) check(r *http.Request) (string, *problem) {
	known := c.current()
	if known == nil {
		return "", problemUnreadable
	}
	user, password, _ := r.BasicAuth() // none: both empty, which the known ones never are
	if !known.match(user, password) {
		return "", problemUnauthorized
	}
	return user, nil
}

// current returns what the files hold, at most checkPeriod old; nil when they
// cannot be read.
func (c *credentials) current() *digests {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.checked) < checkPeriod {
		return c.known
	}
	c.checked = now
	files := c.look()
	if c.known != nil && files[0].same(c.files[0], now) && files[1].same(c.files[1], now) {
		return c.known
	}
	c.files = files // from before reading: what changes meanwhile is seen the next time
	c.reload()
	return c.known
}

// reload reads the files and logs when they became readable, unreadable or changed.
func (c *credentials) reload() {
	before := c.known
	var err error
	c.known, err = c.read()
	switch {
	case err != nil && before != nil:
		c.warn(err)
	case err == nil && (before == nil || *before != *c.known):
		c.log.Info("basic_auth credentials reloaded")
	}
}

func (c *credentials) warn(err error) {
	c.log.Warn("cannot read basic_auth credentials; admin endpoints answer 403", keyError, err,
		"hint", "mount the secret with "+userFile+" and "+passwordFile+" at secret_mount_path, or set basic_auth=false")
}

// read returns the hashes of what the files hold.
func (c *credentials) read() (*digests, error) {
	d := auth.ReadBasicAuthFromDisk{SecretMountPath: c.dir, UserFilename: userFile, PasswordFilename: passwordFile}
	found, err := d.Read()
	if err != nil {
		return nil, err
	}
	if found.User == "" || found.Password == "" {
		return nil, errors.New("user or password is empty")
	}
	return &digests{user: sha256.Sum256([]byte(found.User)), password: sha256.Sum256([]byte(found.Password))}, nil
}

// digests are hashes, so that comparing takes the same time for any length.
type digests struct{ user, password [sha256.Size]byte }

func (d *digests) match(user, password string) bool {
	u, p := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(d.user[:], u[:])&subtle.ConstantTimeCompare(d.password[:], p[:]) == 1
}

// version distinguishes two states of a file; nil when there is none. Mounted
// secrets are exchanged by links, in which case it is another file; a file that
// was written in place has another time or size.
type version struct{ info os.FileInfo }

func (c *credentials) look() [2]version {
	return [2]version{c.stat(userFile), c.stat(passwordFile)}
}

func (c *credentials) stat(name string) version {
	info, err := os.Stat(filepath.Join(c.dir, name))
	if err != nil {
		return version{}
	}
	return version{info}
}

// same reports whether a file is surely what it was at an earlier look.
func (v version) same(before version, now time.Time) bool {
	return v.info != nil && before.info != nil && os.SameFile(v.info, before.info) &&
		v.info.Size() == before.info.Size() && v.info.ModTime().Equal(before.info.ModTime()) &&
		now.Sub(v.info.ModTime()) > settledAge
}
