package invoke

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"queue-worker/pkg/egress"
	"queue-worker/pkg/invocation"
)

// Callbacks: the header that carries a result, and the URL that it goes to.

// Header fields of a callback, beside X-Call-Id, X-Retry and X-Retry-Max.
const (
	HeaderDuration     = "X-Duration-Seconds"
	HeaderStatus       = "X-Function-Status"
	HeaderFunctionName = "X-Function-Name"
	HeaderTruncated    = "X-Body-Truncated"
	// HeaderSequence counts the callbacks of one invocation, and HeaderCompleted is when it got the
	// outcome that the callback carries.
	HeaderSequence  = "X-Callback-Sequence"
	HeaderCompleted = "X-Completed-At"
)

// Meta is what a callback says of the invocation beside its result.
type Meta struct {
	Function string // as the caller named it
	CallID   string // the caller's, or the one that the invocation was given
	// Retry is how many retries there were in the end, RetryMax how many there
	// could have been, -1 without a limit.
	Retry, RetryMax int
	Version         string // this program's
}

// CallbackHeader makes the header of the callback that carries r, the result of an
// invocation's last call; the zero Result stands for an invocation that was never
// called. The header of the function's answer is copied, less what belongs to the
// connection, cookies and credentials, what would make another request of it, and
// what a callback could not be sent with. Nothing of the caller's request is in it.
func CallbackHeader(r Result, m Meta) http.Header {
	h := pass(r.Header, notCalledBack...)
	status := r.Status
	if status == 0 {
		status = http.StatusServiceUnavailable
	}
	h[HeaderDuration] = []string{fmt.Sprintf("%f", r.Duration.Seconds())}
	h[HeaderStatus] = []string{strconv.Itoa(status)}
	h[HeaderFunctionName] = []string{m.Function}
	if m.CallID != "" {
		h[invocation.HeaderCallID] = []string{m.CallID}
	}
	h[HeaderRetry] = []string{strconv.Itoa(m.Retry)}
	if m.RetryMax >= 0 {
		h[HeaderRetryMax] = []string{strconv.Itoa(m.RetryMax)}
	}
	h["User-Agent"] = []string{userAgent(m.Version)}
	if r.Truncated {
		for _, name := range ofWholeBody {
			delete(h, name)
		}
		h[HeaderTruncated] = []string{"true"}
	}
	dropUnsendable(h)
	return h
}

var (
	// neverPosted are the fields that no callback carries, neither of an answer nor of
	// a message: credentials, another method or path, or another sender of a request.
	neverPosted = []string{
		"Set-Cookie", "Set-Cookie2", "Cookie", "Authorization", "Www-Authenticate", "Authentication-Info",
		"X-Http-Method", "X-Http-Method-Override", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url",
		"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip",
	}

	// notCalledBack are those of an answer, which does not tell of its invocation either.
	notCalledBack = append(neverPosted[:len(neverPosted):len(neverPosted)],
		HeaderDuration, HeaderStatus, HeaderFunctionName, HeaderTruncated, HeaderSequence, HeaderCompleted,
		invocation.HeaderCallID, HeaderRetry, HeaderRetryMax, "User-Agent")
)

// ofWholeBody are the fields of an answer that say what its whole body is. They are wrong about one that is cut.
var ofWholeBody = []string{"Content-Md5", "Digest", "Content-Digest", "Repr-Digest", "Etag"}

// dropUnsendable leaves out fields that cannot be written, such as a call id that
// made its invocation malformed: the rest of the callback is worth sending.
func dropUnsendable(h http.Header) {
	for name, values := range h {
		ok := httpguts.ValidHeaderFieldName(name)
		for _, v := range values {
			ok = ok && httpguts.ValidHeaderFieldValue(v)
		}
		if !ok {
			delete(h, name)
		}
	}
}

var (
	errURLLong   = fmt.Errorf("the callback's URL is longer than %d bytes", egress.MaxURL)
	errURL       = errors.New("the callback's URL is invalid")
	errURLScheme = errors.New("the callback's URL is neither http nor https")
	errURLHost   = errors.New("the callback's URL has no usable host")
)

// callbackTarget reads the URL that a caller chose, and takes the credentials out
// of it. It checks what a request needs; where the URL may lead is for egress to
// say, when it is dialled. The errors repeat nothing of the URL.
func callbackTarget(raw string) (*url.URL, *url.Userinfo, error) {
	if len(raw) > egress.MaxURL {
		return nil, nil, errURLLong
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || hasSpaceOrControl(u.RawQuery) {
		return nil, nil, errURL
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, nil, errURLScheme
	}
	if u.Hostname() == "" || !httpguts.ValidHostHeader(u.Host) {
		return nil, nil, errURLHost
	}
	user := u.User
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	return u, user, nil
}

// postHeader makes the header of a callback's request from the one that is stored.
func (c *Client) postHeader(call Call, user *url.Userinfo) (http.Header, error) {
	f := producerHeader(call)
	if call.source() != invocation.SourceProducer {
		var err error
		if f, err = (fields{}).pass(call.Request.Header, neverPosted); err != nil {
			return nil, err
		}
	}
	f = f.withTrace(call)
	if f.isBlank("User-Agent") {
		f = f.set("User-Agent", userAgent(c.version))
	}
	if user != nil && user.String() != "" { // "http://@host/" is what is left of credentials that got lost
		f = f.set("Authorization", basicAuth(user))
	}
	f.makeUnreplayable()
	if err := f.check(); err != nil {
		return nil, err
	}
	return f.header(), nil
}

// producerHeader makes the header of a message that came through the callback
// producer.
func producerHeader(call Call) fields {
	kind := call.Request.Header.Get("Content-Type")
	if kind == "" {
		kind = "application/json"
	}
	return fields{{"Content-Type", kind}, {invocation.HeaderCallID, callID(call)}}
}

func basicAuth(user *url.Userinfo) string {
	password, _ := user.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
}

// refuseAll stands in for egress's guard where there is none.
type refuseAll struct{}

// CheckURL implements Guard.
func (refuseAll) CheckURL(string) (*url.URL, error) {
	return nil, fmt.Errorf("%w: callbacks are off", egress.ErrRefused)
}

// ToFunction implements Guard.
func (refuseAll) ToFunction(*url.URL) bool { return false }

// DialContext implements Guard.
func (refuseAll) DialContext(context.Context, string, string) (net.Conn, error) {
	return nil, fmt.Errorf("%w: callbacks are off", egress.ErrRefused)
}

// DialFunction implements Guard.
func (r refuseAll) DialFunction(ctx context.Context, network, address string) (net.Conn, error) {
	return r.DialContext(ctx, network, address)
}

// maxDetail bounds what a refusal may say, in bytes: it repeats the host.
const maxDetail = 256

// refusal gives egress's reason for not dialling, without what stands before it.
func refusal(err error) (string, bool) {
	if !errors.Is(err, egress.ErrRefused) {
		return "", false
	}
	text, why := err.Error(), egress.ErrRefused.Error()
	if i := strings.Index(text, why); i >= 0 {
		text = text[i:]
	}
	return strings.ToValidUTF8(text[:min(len(text), maxDetail)], ""), true
}
