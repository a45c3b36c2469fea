package syntax_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/syntax"
)

func TestSchemaIsCommitted(t *testing.T) {
	golden(t, "rule.schema.json", string(syntax.Schema()))
}

// Every key has a schema of its own: none is null.
func TestSchemaHasNoGaps(t *testing.T) {
	var root map[string]any
	require.NoError(t, json.Unmarshal(syntax.Schema(), &root))
	var walk func(path string, x any)
	walk = func(path string, x any) {
		switch x := x.(type) {
		case nil:
			assert.Fail(t, "no schema", path)
		case map[string]any:
			for k, v := range x {
				walk(path+"/"+k, v)
			}
		case []any:
			for _, v := range x {
				walk(path, v)
			}
		}
	}
	walk("", root)
}
