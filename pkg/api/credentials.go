// File credentials.go compares the credentials of a request with those that are mounted:
// OpenFaaS's, and those of the read-only account.

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

// account is a client whose credentials are right, or that needs none.
type account struct {
	name     string
	readOnly bool // it sees what is stored but for bodies, and changes nothing
}

// credentials are those of the operator and, where its files are mounted, of the read-only
// account.
type credentials struct{ operator, reader *secret }

// newCredentials reads the files, and warns when that cannot be done.
func newCredentials(dir string, logger *slog.Logger) *credentials {
	c := &credentials{
		operator: &secret{
			folder: basicauth.NewFolder(dir), log: logger, reloaded: "basic_auth credentials reloaded",
			unreadable: "cannot read basic_auth credentials; admin endpoints answer 403",
			hint:       "mount the secret with " + basicauth.UserFile + " and " + basicauth.PasswordFile + " at secret_mount_path, or set basic_auth=false",
		},
		reader: &secret{
			folder: basicauth.NewReaderFolder(dir), log: logger, reloaded: "credentials of the read-only account reloaded",
			unreadable: "cannot read the credentials of the read-only account; it is refused", optional: true,
			hint: "mount both " + basicauth.ReadUserFile + " and " + basicauth.ReadPasswordFile + " at secret_mount_path, or neither",
		},
	}
	c.operator.open()
	c.reader.open()
	return c
}

// check returns the account of a request, or why there is none. Whatever is wrong with the
// credentials of a request, the answer is the same and takes the same time.
func (c *credentials) check(r *http.Request) (account, *respond.Problem) {
	operator, reader := c.operator.current(), c.reader.current()
	if operator == nil {
		return account{}, problemUnreadable
	}
	user, password, _ := r.BasicAuth() // none: both empty, which the known ones never are
	acts := operator.match(user, password)
	reads := reader.match(user, password)
	switch {
	case acts:
		return account{name: user}, nil
	case reads:
		return account{user, true}, nil
	}
	return account{}, problemUnauthorized
}

// secret knows user and password by their hashes, beside the folder that has them.
type secret struct {
	folder                     *basicauth.Folder
	log                        *slog.Logger
	reloaded, unreadable, hint string
	optional                   bool // its files may be missing, both

	mu    sync.Mutex
	known *digests // nil: not readable
	bad   bool     // that it is not readable was logged
}

// open reads the files for the first time.
func (s *secret) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.folder.Credentials()
	if err != nil {
		s.warn(err)
		return
	}
	s.known = digest(found)
}

// current returns what the files hold; nil when they cannot be read. It logs when they
// became readable, unreadable or changed.
func (s *secret) current() *digests {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.folder.Credentials()
	if err != nil {
		s.known = nil
		s.warn(err)
		return nil
	}
	now := digest(found)
	if s.known == nil || *s.known != *now {
		s.log.Info(s.reloaded)
		s.known, s.bad = now, false
	}
	return now
}

// warn logs once that the files cannot be read.
func (s *secret) warn(err error) {
	if s.bad || s.optional && !s.folder.Present() {
		return
	}
	s.bad = true
	s.log.Warn(s.unreadable, "error", err, "hint", s.hint)
}

// digests are hashes, so that comparing takes the same time for any length.
type digests struct{ user, password [sha256.Size]byte }

func digest(c basicauth.Credentials) *digests {
	return &digests{user: sha256.Sum256([]byte(c.User)), password: sha256.Sum256([]byte(c.Password))}
}

// match reports whether a user and a password are those of the files; never when there are
// none.
func (d *digests) match(user, password string) bool {
	if d == nil {
		return false
	}
	u, p := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(d.user[:], u[:])&subtle.ConstantTimeCompare(d.password[:], p[:]) == 1
}
