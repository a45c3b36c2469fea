package manifest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/abi/manifest"
)

var update = flag.Bool("update", false, "write schema.json anew")

const full = `{
	"name": "lock-account", "version": "1.2.0", "abi": "rhost.v1", "description": "locks",
	"capabilities": {"secret": {"names": ["token"]}, "http": {"hosts": ["api.example.com", "*.example.com:8443", "10.0.0.1"]}, "emit": {}},
	"optional": ["http", "later"],
	"limits": {"fuel": 1000, "memory": "8MiB", "deadline": "50ms", "stack": 9, "host_calls": 8, "output": 7, "effects": 6, "effect_bytes": "1kB"},
	"config": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
	"encoding": "json", "state": "pristine", "batch": true,
	"sample": {"event": {"type": "t", "data": {"a": 1}}, "config": {"n": 1}, "with": {}}
}`

const least = `{"name": "p", "version": "1", "abi": "rhost.v1"}`

func TestParse(t *testing.T) {
	m, err := manifest.Parse([]byte(full))
	require.NoError(t, err)
	assert.Equal(t, "lock-account", m.Name)
	assert.Equal(t, "1.2.0", m.Version)
	assert.Equal(t, "locks", m.Description)
	assert.Equal(t, []abi.Capability{abi.CapEmit, abi.CapHTTP, abi.CapSecret}, m.Capabilities)
	assert.True(t, m.Asks(abi.CapHTTP))
	assert.False(t, m.Asks(abi.CapKV))
	assert.Equal(t, []string{"api.example.com", "*.example.com:8443", "10.0.0.1"}, m.Hosts)
	assert.Equal(t, []string{"token"}, m.Secrets)
	assert.Equal(t, []string{"http", "later"}, m.Optional)
	assert.Equal(t, manifest.Limits{
		Fuel: 1000, Memory: 8 << 20, Deadline: 50 * time.Millisecond, Stack: 9, HostCalls: 8, Output: 7, Effects: 6, EffectBytes: 1000,
	}, m.Limits)
	assert.Equal(t, manifest.JSON, m.Encoding)
	assert.True(t, m.Batch)
	assert.Equal(t, "t", m.Sample.Event.Type)
	assert.JSONEq(t, full, string(m.JSON))

	m, err = manifest.Parse([]byte(least))
	require.NoError(t, err)
	assert.Equal(t, manifest.Frame, m.Encoding)
	assert.Nil(t, m.Hosts, "it does not say")
}

// problems are texts that are no manifests, and what is said of them.
func problems() map[string]string {
	with := func(more string) string { return strings.TrimSuffix(least, "}") + ", " + more + "}" }
	return map[string]string{
		`[]`:                                 "manifest: is no object",
		`{`:                                  "manifest: is not JSON: the JSON ends where a quoted key should follow at offset 1",
		`{}`:                                 "manifest: name: is missing\nmanifest: version: is missing\nmanifest: abi: is missing",
		with(`"nmae": 1, "limit": {}`):       "manifest: limit: nobody knows this key; did you mean limits?\nmanifest: nmae: nobody knows this key; did you mean name?",
		with(`"capabilities": {"htpp": {}}`): "manifest: capabilities.htpp: nobody knows this key; did you mean http?",
		with(`"capabilities": {"http": {"host": []}}`):          "manifest: capabilities.http.host: nobody knows this key; did you mean hosts?",
		with(`"capabilities": {"emit": {"x": 1}}`):              "manifest: capabilities.emit.x: nobody knows this key; there are no parameters",
		with(`"capabilities": {"http": {"hosts": ["a b", 1]}}`): "manifest: capabilities.http.hosts[0]: \"a b\" is no host; write a name, \"*.name\" or an address, and a port if it is not 80 or 443\nmanifest: capabilities.http.hosts[1]: is no text",
		with(`"capabilities": ["emit"]`):                        "manifest: capabilities: is no object",
		with(`"limits": {"memory": "8 MiB"}`):                   "manifest: limits.memory: \"8 MiB\" is no size; write a number of bytes, \"64KiB\" or \"8MiB\"",
		with(`"limits": {"memory": "99999999999GiB"}`):          "manifest: limits.memory: \"99999999999GiB\" is no size above 0 that a number holds",
		with(`"limits": {"fuel": -1, "deadline": "0s"}`):        "manifest: limits.fuel: is no whole number above 0\nmanifest: limits.deadline: \"0s\" is no time above 0; write \"50ms\" or \"1s\"",
		with(`"state": "kept"`):                                 "manifest: state: kept is not offered: every call finds a plugin as it was loaded; leave it out, and keep what must last with state or kv",
		with(`"encoding": "xml"`):                               "manifest: encoding: \"xml\" is no encoding; write frame or json",
		with(`"batch": "yes"`):                                  "manifest: batch: is no boolean; write true or false",
		with(`"optional": [""]`):                                "manifest: optional[0]: a name has from 1 to 256 bytes",
		with(`"config": {"type": "thing"}`):                     "manifest: config: is not a JSON Schema: got string, want array",
		with(`"config": {"$ref": "https://x.example/s"}`):       "manifest: config: $ref \"https://x.example/s\" is not taken; it has to begin with #/",
		with(`"config": {"$ref": "#/$defs/none"}`):              "manifest: config: $ref \"#/$defs/none\" leads to nothing",
		with(`"sample": {"event": {"data": 1}, "with": []}`):    "manifest: sample.event: type: is missing (offset 0); every event needs a type\nmanifest: sample.with: is no object",
		`{"name": "P", "version": "", "abi": "rhost.v2"}`:       "manifest: name: \"P\" is no name; use a-z, 0-9 and -, starting with a letter, at most 64 characters\nmanifest: version: a version has from 1 to 64 characters\nmanifest: abi: \"rhost.v2\" is no ABI that a manifest can name; write rhost.v1",
	}
}

func TestParseReportsEverything(t *testing.T) {
	for text, want := range problems() {
		_, err := manifest.Parse([]byte(text))
		assert.EqualError(t, err, want, text)
	}
	_, err := manifest.Parse(make([]byte, manifest.MaxBytes+1))
	assert.EqualError(t, err, "manifest: has 262145 bytes; at most 262144 are allowed")
}

// TestSchema keeps schema.json true: it is what the table of fields gives, and it
// takes and refuses what Parse does.
func TestSchema(t *testing.T) {
	text, err := manifest.Generate()
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile("schema.json", text, 0o644))
	}
	assert.Equal(t, string(text), string(manifest.SchemaJSON), "run go test ./abi/manifest -update")

	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("schema:///m.json", doc))
	schema, err := c.Compile("schema:///m.json")
	require.NoError(t, err)
	for _, good := range []string{full, least} {
		var v any
		require.NoError(t, json.Unmarshal([]byte(good), &v))
		require.NoError(t, schema.Validate(v))
	}
	// What only Parse can see: overflow, references, the insides of an event and of a
	// schema.
	deeper := []string{"99999999999GiB", "$ref", "thing", `"0s"`, `{"data": 1}`}
	for text := range problems() {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil || containsAny(text, deeper) {
			continue
		}
		assert.Error(t, schema.Validate(v), text)
	}
}

func containsAny(s string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

func TestConfigSchema(t *testing.T) {
	m, err := manifest.Parse([]byte(full))
	require.NoError(t, err)
	require.NoError(t, m.Config.Check(json.RawMessage(`{"n": 5}`)))
	assert.EqualError(t, m.Config.Check(json.RawMessage(`{"n": "x"}`)), "manifest: n: got string, want integer")
	assert.EqualError(t, m.Config.Check(nil), "manifest: missing property 'n'")
}

// TestHostileSchema checks that no schema makes the host work for long.
func TestHostileSchema(t *testing.T) {
	var defs []string
	for i := range 60 {
		next := `{"type": "object"}`
		if i < 59 {
			ref := `{"$ref": "#/$defs/a` + string(rune('A'+i+1)) + `"}`
			next = `{"allOf": [` + ref + `,` + ref + `]}`
		}
		defs = append(defs, `"a`+string(rune('A'+i))+`": `+next)
	}
	doubling := `{"$ref": "#/$defs/aA", "$defs": {` + strings.Join(defs, ",") + `}}`
	for _, text := range []string{
		doubling,
		`{"$ref": "#"}`,
		`{"$dynamicRef": "#x"}`,
		`{"properties": {"a": {"$id": "http://x.example/", "$ref": "#/a"}}}`,
		`{"$schema": "http://x.example/none"}`,
		`{"pattern": "(("}`,
	} {
		began := time.Now()
		s, err := manifest.ParseSchema([]byte(text))
		if err == nil {
			assert.Error(t, s.Check(nil), text)
		}
		assert.Less(t, time.Since(began), 2*time.Second, text)
	}
	s, err := manifest.ParseSchema([]byte(`{"properties": {"child": {"$ref": "#"}, "n": {"type": "integer"}}}`))
	require.NoError(t, err, "a schema may speak of itself")
	assert.Error(t, s.Check(json.RawMessage(`{"child": {"child": {"n": "x"}}}`)))
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	for text := range problems() {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := manifest.Parse(b)
		if err != nil {
			assert.NotEmpty(t, err.Error())
			return
		}
		_, err = manifest.Parse(m.JSON)
		require.NoError(t, err)
		if m.Config != nil {
			m.Config.Check(json.RawMessage(`{"a": [1, "x", {"b": null}]}`)) //nolint:errcheck // either answer will do
		}
	})
}
