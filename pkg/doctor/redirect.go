// File redirect.go checks whether calls come to the gateway, or are redirected before.

package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// noFunction is a function that is not deployed: a gateway answers 404 to it.
const noFunction = "queue-worker-doctor-looks-for-redirects"

func isRedirect(status int) bool {
	return status >= http.StatusMultipleChoices && status < http.StatusBadRequest
}

// calls reports a gateway whose functions are behind a redirect. Anything else about them is for their calls to find.
func (e *examiner) calls(ctx context.Context) []Finding {
	u := e.Config.GatewayURL.JoinPath("function", noFunction)
	status, header, _, err := e.ask(ctx, u)
	if err != nil || !isRedirect(status) {
		return nil
	}
	return []Finding{e.redirected(u, "/function/"+noFunction, status, header)}
}

// redirected is the finding of a redirect in the place of an answer: no call comes to a function.
func (e *examiner) redirected(from *url.URL, path string, status int, h http.Header) Finding {
	advice := "Set gateway_url to the address of the OpenFaaS gateway itself, past any login page or proxy; calls are retried until then."
	location := h.Get("Location")
	to, err := from.Parse(location)
	if location == "" || err != nil || to.Host == "" {
		return wrong("gateway", advice, "%s answers %d to %s, a redirect to no usable URL", e.Config.GatewayURL, status, path)
	}
	origin := to.Scheme + "://" + to.Host
	if strings.EqualFold(to.Hostname(), from.Hostname()) && strings.HasSuffix(to.EscapedPath(), path) {
		advice = fmt.Sprintf("Set gateway_url to %s%s; calls with credentials are not redirected.", origin, strings.TrimRight(e.Config.GatewayURL.EscapedPath(), "/"))
	}
	return wrong("gateway", advice, "%s answers %d to %s, a redirect to %s", e.Config.GatewayURL, status, path, origin)
}
