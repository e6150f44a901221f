// This file makes the gateway's URL, of gateway_url or of an address and a port.

package config

import (
	"net"
	"net/url"
	"strconv"
	"strings"
)

// parseGatewayURL reads gateway_url. Slashes at the end are cut, so that a path
// can be appended; a path prefix is kept.
func parseGatewayURL(s string) (url.URL, error) {
	u, err := url.Parse(strings.TrimRight(s, "/"))
	switch {
	case err != nil:
		return url.URL{}, err
	case u.User != nil:
		return url.URL{}, want("a URL without credentials: put them in files under secret_mount_path")
	case u.Scheme != "http" && u.Scheme != "https":
		return url.URL{}, want("an http or https URL, such as http://gateway:8080")
	case !isHost(u.Hostname()) || u.Port() != "" && !isPort(u.Port(), 1):
		return url.URL{}, want("a host name or IP address, and a port from 1 to 65535, after the scheme")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#"):
		return url.URL{}, want("a URL without query and fragment")
	}
	return *u, nil
}

// gatewayFrom makes the URL of a host and a port, which is http as it always was.
func gatewayFrom(host string, port int) *url.URL {
	return &url.URL{Scheme: "http", Host: net.JoinHostPort(host, strconv.Itoa(port))}
}
