// What the gateway answers about its functions, and its health.

package dev

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/openfaas/faas-provider/types"
)

func (g *gateway) systemRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /system/functions", g.listFunctions)
	mux.HandleFunc("GET /system/function/{name}", g.describeFunction)
	return mux
}

// describeFunction answers for name, name.namespace and name?namespace=.
func (g *gateway) describeFunction(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if namespace := r.URL.Query().Get("namespace"); namespace != "" {
		name = strings.TrimSuffix(name, "."+namespace) + "." + namespace
	}
	short := g.names.Canonical(name)
	fn, ok := g.functions[short]
	if !ok {
		http.Error(w, "no such function", http.StatusNotFound)
		return
	}
	writeJSON(w, g.status(short, fn))
}

// listFunctions answers with the functions of one namespace, the default one
// unless the query names another.
func (g *gateway) listFunctions(w http.ResponseWriter, r *http.Request) {
	namespace := cmp.Or(r.URL.Query().Get("namespace"), g.names.DefaultNamespace)
	list := []types.FunctionStatus{}
	for name, fn := range g.functions {
		if s := g.status(name, fn); s.Namespace == namespace {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b types.FunctionStatus) int { return cmp.Compare(a.Name, b.Name) })
	writeJSON(w, list)
}

// status is what faas-provider's API says of a function. The namespace stands
// beside the name, never in it.
func (g *gateway) status(short string, fn Function) types.FunctionStatus {
	name, namespace := short, g.names.DefaultNamespace
	if i := strings.LastIndexByte(short, '.'); i > 0 {
		name, namespace = short[:i], short[i+1:]
	}
	annotations := fn.Annotations
	if annotations == nil {
		annotations = map[string]string{}
	}
	return types.FunctionStatus{
		Name:              name,
		Namespace:         namespace,
		Annotations:       &annotations,
		Labels:            &map[string]string{},
		Replicas:          1,
		AvailableReplicas: 1,
		CreatedAt:         g.started,
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the caller has gone
}
