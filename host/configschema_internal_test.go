package host

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConfigSchemaIsCommitted(t *testing.T) {
	if *update {
		require.NoError(t, os.WriteFile("rhost.schema.json", ConfigSchema(), 0o644))
	}
	committed, err := os.ReadFile("rhost.schema.json")
	require.NoError(t, err)
	assert.Equal(t, string(committed), string(ConfigSchema()), "go test ./host -run ConfigSchema -update")
}

// Every key of Config says what it is for, and nothing else does.
func TestConfigSchemaHasNoGaps(t *testing.T) {
	var root map[string]any
	require.NoError(t, json.Unmarshal(ConfigSchema(), &root))
	said := make(map[string]bool)
	var walk func(key string, x map[string]any)
	walk = func(key string, x map[string]any) {
		if properties, ok := x["properties"].(map[string]any); ok {
			for name, s := range properties {
				at := name
				if key != "" {
					at = key + "." + name
				}
				s := s.(map[string]any)
				assert.NotEmpty(t, s["description"], at)
				said[at] = true
				walk(at, s)
			}
		}
		if more, ok := x["additionalProperties"].(map[string]any); ok {
			walk(key+".*", more)
		}
	}
	walk("", root)
	for key := range configKeys() {
		assert.True(t, said[key], "there is no key %s", key)
	}
}
