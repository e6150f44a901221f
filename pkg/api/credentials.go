// File credentials.go compares the credentials of a request with those that OpenFaaS mounts.

package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"sync"

	"queue-worker/pkg/basicauth"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

const challenge = `Basic realm="queue-worker", charset="UTF-8"`

var (
	problemUnauthorized = respond.NewProblem(http.StatusUnauthorized, wire.Unauthorized, "unauthorized",
		"Use the user and password of OpenFaaS's basic-auth secret.")
	problemUnreadable = respond.NewProblem(http.StatusForbidden, wire.Forbidden, "admin endpoints are closed: the credentials cannot be read",
		"Mount the secret with "+basicauth.UserFile+" and "+basicauth.PasswordFile+" at secret_mount_path")
)

// credentials know user and password by their hashes, beside the folder that has them.
type credentials struct {
	folder *basicauth.Folder
	log    *slog.Logger

	mu    sync.Mutex
	known *digests // nil: not readable
}

// newCredentials reads the files, and warns when that cannot be done.
func newCredentials(dir string, logger *slog.Logger) *credentials {
	c := &credentials{folder: basicauth.NewFolder(dir), log: logger}
	found, err := c.folder.Credentials()
	if err != nil {
		c.warn(err)
		return c
	}
	c.known = digest(found)
	return c
}

// check returns the user's name, or why there is none. Whatever is wrong with the
// credentials of a request, the answer is the same and takes the same time.
func (c *credentials) check(r *http.Request) (string, *respond.Problem) {
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

// current returns what the files hold; nil when they cannot be read. It logs when they
// became readable, unreadable or changed.
func (c *credentials) current() *digests {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, err := c.folder.Credentials()
	if err != nil {
		if c.known != nil {
			c.warn(err)
		}
		c.known = nil
		return nil
	}
	now := digest(found)
	if c.known == nil || *c.known != *now {
		c.log.Info("basic_auth credentials reloaded")
		c.known = now
	}
	return now
}

func (c *credentials) warn(err error) {
	c.log.Warn("cannot read basic_auth credentials; admin endpoints answer 403", "error", err,
		"hint", "mount the secret with "+basicauth.UserFile+" and "+basicauth.PasswordFile+" at secret_mount_path, or set basic_auth=false")
}

// digests are hashes, so that comparing takes the same time for any length.
type digests struct{ user, password [sha256.Size]byte }

func digest(c basicauth.Credentials) *digests {
	return &digests{user: sha256.Sum256([]byte(c.User)), password: sha256.Sum256([]byte(c.Password))}
}

func (d *digests) match(user, password string) bool {
	u, p := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(d.user[:], u[:])&subtle.ConstantTimeCompare(d.password[:], p[:]) == 1
}
