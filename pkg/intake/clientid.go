package intake

import (
	"fmt"
	"regexp"
	"slices"
)

// ClientIDPrefix begins the client id of every worker, as OpenFaaS has it.
const ClientIDPrefix = "faas-worker-"

// maxClientIDs bounds the workers that share one hostname.
const maxClientIDs = 64

// unsafe is what NATS Streaming does not take in a client id.
var unsafe = regexp.MustCompile("[^a-zA-Z0-9-_]+")

// clientIDs lists the names to try, in order. The first is as OpenFaaS has it.
// What this process was called before comes first: the server holds its messages
// for that name.
func clientIDs(hostname, before string) []string {
	base := ClientIDPrefix + unsafe.ReplaceAllString(hostname, "_")
	ids := []string{base}
	for n := 2; n <= maxClientIDs; n++ {
		ids = append(ids, fmt.Sprintf("%s-%d", base, n))
	}
	if at := slices.Index(ids, before); at > 0 {
		ids = slices.Insert(slices.Delete(ids, at, at+1), 0, before)
	}
	return ids
}
