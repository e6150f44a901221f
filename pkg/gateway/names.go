// File names.go lists the functions of the default namespace, to find the one that was meant.

package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
)

// maxNames bounds the names that are read.
const maxNames = 10_000

// Names are the functions that the gateway lists in the default namespace, by their canonical names. There are none
// when it does not answer in time, or refuses.
func (f *Functions) Names(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	status, body, _, err := f.send(ctx, f.list(), maxBody)
	if err != nil || status != http.StatusOK {
		return nil
	}
	var listed []struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(body, &listed) != nil {
		return nil
	}
	var names []string
	for _, l := range listed[:min(len(listed), maxNames)] {
		names = append(names, f.o.Names.Canonical(l.Name))
	}
	return names
}

// list is where the functions of the default namespace are listed.
func (f *Functions) list() string {
	u := f.o.URL.JoinPath("system", "functions")
	u.RawQuery = url.Values{"namespace": {f.o.Names.DefaultNamespace}}.Encode()
	return u.String()
}
