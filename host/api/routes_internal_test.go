package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// patterns is a mux that remembers what it was given.
type patterns struct {
	http.ServeMux
	list []string
}

func (p *patterns) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	p.list = append(p.list, pattern)
	p.ServeMux.HandleFunc(pattern, h)
}

// TestRoutesAreDescribed: what is served is described, and the other way round. The
// paths of a cluster are compared where they are served, in package host.
func TestRoutesAreDescribed(t *testing.T) {
	spec, err := Spec("test")
	require.NoError(t, err)
	var doc struct{ Paths map[string]map[string]any }
	require.NoError(t, json.Unmarshal(spec, &doc))
	var described []string
	for path, ops := range doc.Paths {
		for method := range ops {
			if !strings.HasPrefix(path, "/v1/cluster") {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
	}
	var mux patterns
	(&server{}).routes(&mux, Options{Version: "test", Local: true})
	var served []string
	for _, pattern := range mux.list {
		if !strings.HasPrefix(pattern, "GET /openapi") && !strings.HasPrefix(pattern, "GET /schemas") {
			served = append(served, pattern)
		}
	}
	assert.ElementsMatch(t, described, served)
}
