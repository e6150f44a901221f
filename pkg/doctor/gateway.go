// File gateway.go checks the gateway, the credentials for it and for the API of the
// worker, and whether its clock and ours agree.

package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"queue-worker/pkg/basicauth"
)

// errNoAnswer is why a question was given up.
var errNoAnswer = errors.New("no answer in time")

// secret is what was found under secret_mount_path.
type secret struct {
	basicauth.Credentials
	dir     string
	missing bool // neither file exists
	err     error
}

func readSecret(dir string) secret {
	s := secret{dir: dir}
	s.Credentials, s.err = basicauth.Read(dir)
	s.missing = isMissing(dir, basicauth.UserFile) && isMissing(dir, basicauth.PasswordFile)
	return s
}

func isMissing(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return errors.Is(err, fs.ErrNotExist)
}

// credentials can be read where they are needed.
func (e *examiner) credentials(context.Context) []Finding {
	const check = "credentials"
	s, c := e.secret, e.Config
	switch {
	case errors.Is(s.err, basicauth.ErrEmpty):
		return []Finding{wrong(check, "Write user and password to the files of the secret.", "a file of the secret in %s is empty", s.dir)}
	case s.err == nil:
		return []Finding{fine(check, "the secret in %s can be read, user %s", s.dir, s.User)}
	case c.BasicAuth || c.IngestAuth:
		return []Finding{wrong(check, "Mount the secret basic-auth of OpenFaaS at secret_mount_path, readable for the user of this process.",
			"basic_auth or ingest_auth is on, and the API refuses every client: %s", firstLine(s.err))}
	case s.missing:
		return []Finding{fine(check, "no secret in %s, and basic_auth is off: admin endpoints are open to this machine only", s.dir)}
	}
	return []Finding{look(check, "Mount both files of the secret, readable for the user of this process, or none.", "%s", firstLine(s.err))}
}

// gateway answers, takes the credentials, and has the same time.
func (e *examiner) gateway(ctx context.Context) []Finding {
	const check = "gateway"
	base := e.Config.GatewayURL
	sent := time.Now()
	status, header, _, err := e.ask(ctx, base.JoinPath("healthz"))
	took := time.Since(sent)
	if err != nil {
		return []Finding{
			wrong(check, "Check gateway_url, or faas_gateway_address and faas_gateway_port; functions cannot be called until it answers.",
				"%s: %s", base, firstLine(err)),
			look("clock", "", "not compared, because the gateway does not answer"),
		}
	}
	if isRedirect(status) {
		return []Finding{e.redirected(base.JoinPath("healthz"), "/healthz", status, header), clock(header, sent, took)}
	}
	all := []Finding{fine(check, "%s answers in %s", base, took.Round(time.Millisecond))}
	if status != http.StatusOK {
		all = []Finding{look(check, "See the gateway's log. Check that gateway_url is the address of a gateway.", "%s answers, but /healthz is %d", base, status)}
	}
	all = append(append(all, e.functions(ctx)...), e.calls(ctx)...)
	return append(all, clock(header, sent, took))
}

// functions asks for the list of functions, which needs the credentials.
func (e *examiner) functions(ctx context.Context) []Finding {
	const check = "gateway"
	u := e.Config.GatewayURL.JoinPath("system", "functions")
	u.RawQuery = url.Values{"namespace": {e.Config.DefaultNamespace}}.Encode()
	status, header, body, err := e.ask(ctx, u)
	switch {
	case err != nil:
		return []Finding{look(check, "See the gateway's log.", "/system/functions: %s", firstLine(err))}
	case isRedirect(status):
		return []Finding{e.redirected(u, "/system/functions", status, header)}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return []Finding{wrong(check, "Mount the gateway's secret basic-auth at secret_mount_path; without it annotations of functions are not read, and unknown functions are recognised only by calling them.",
			"it answers %d to the credentials: %s", status, e.who())}
	case status != http.StatusOK:
		return []Finding{look(check, "Check that gateway_url is the address of an OpenFaaS gateway.", "/system/functions answers %d", status)}
	}
	var list []struct{}
	if json.Unmarshal(body, &list) != nil {
		return []Finding{look(check, "Check that gateway_url is the address of an OpenFaaS gateway.", "/system/functions does not answer a list of functions")}
	}
	return []Finding{fine(check, "it lists its functions (%d in %s), %s", len(list), e.Config.DefaultNamespace, e.who())}
}

// who says with which credentials the gateway was asked.
func (e *examiner) who() string {
	if e.secret.err != nil {
		return "asked without credentials, there are none in " + e.secret.dir
	}
	return "asked as " + e.secret.User
}

// maxAnswer bounds what is read of the gateway's answers, in bytes.
const maxAnswer = 16 << 20

func (e *examiner) ask(ctx context.Context, u *url.URL) (int, http.Header, []byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, errNoAnswer)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header.Set("User-Agent", "queue-worker/"+e.Version)
	if e.secret.err == nil {
		req.SetBasicAuth(e.secret.User, e.secret.Password)
	}
	// No proxy, as the worker uses none, and no redirects: the credentials are the
	// gateway's alone.
	transport := &http.Transport{DisableKeepAlives: true}
	c := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(req)
	if err != nil {
		if context.Cause(ctx) != nil {
			return 0, nil, nil, context.Cause(ctx)
		}
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return 0, nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return 0, nil, nil, fmt.Errorf("the answer was cut off: %w", err)
	}
	return res.StatusCode, res.Header, body, nil
}

// How far the clocks may be apart. The gateway answers whole seconds.
const (
	clockWarn = 5 * time.Second
	clockBad  = time.Minute
)

// clock compares the time of the gateway's answer with ours.
func clock(h http.Header, sent time.Time, took time.Duration) Finding {
	const check = "clock"
	const advice = "Synchronise both clocks (NTP); X-Not-Before, X-Max-Age and Retry-After dates are compared with them."
	theirs, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return look(check, "Check the clock of this machine.", "the gateway does not send its time")
	}
	apart := apart(theirs, sent, took)
	switch {
	case apart > clockBad:
		return wrong(check, advice, "%s away from that of the gateway", apart.Round(time.Second))
	case apart > clockWarn:
		return look(check, advice, "%s away from that of the gateway", apart.Round(time.Second))
	}
	return fine(check, "the same as that of the gateway")
}

// apart is how far a whole second, reported at some time while we waited, is from
// our time at the least.
func apart(theirs, sent time.Time, took time.Duration) time.Duration {
	switch earliest, latest := theirs, theirs.Add(time.Second); {
	case latest.Before(sent):
		return sent.Sub(latest)
	case earliest.After(sent.Add(took)):
		return earliest.Sub(sent.Add(took))
	}
	return 0
}
