package host_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/yamldoc"
)

func configSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(host.ConfigSchema()))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("rhost.schema.json", doc))
	s, err := c.Compile("rhost.schema.json")
	require.NoError(t, err)
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, name, text string) error {
	t.Helper()
	docs, err := yamldoc.Parse(name, []byte(text))
	require.NoError(t, err, name)
	require.Len(t, docs, 1, name)
	return s.Validate(docs[0].Any())
}

// What ReadConfig takes, the schema takes: an editor marks nothing that is right.
func TestConfigSchemaTakesGoodConfigs(t *testing.T) {
	s := configSchema(t)
	apps, err := filepath.Glob("../plugins/examples/*/rhost.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, apps)
	for _, app := range apps {
		text, err := os.ReadFile(app)
		require.NoError(t, err)
		assert.NoError(t, validate(t, s, app, string(text)), app)
	}
	manual, err := os.ReadFile("../docs/connectors.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllSubmatch(manual, -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		assert.NoError(t, validate(t, s, "docs/connectors.md", string(block[1])), "%s", block[1])
	}
	text := `
tenant: 7
sources:
  a: {schedule: {every: 1d12h, data: {n: [1]}}}
  b: {stdin: {}}
  c: {files: {path: x, clock: event, once: true}}
plugins:
  p:
    grant: [emit, http, secret]
    limits: {fuel: 20_000_000, memory: 32MiB, output: 100, deadline: 1m30s, stack: 9}
    secrets: {token: {env: TOKEN}, other: {file: o}}
    http: {hosts: [example.com]}
    record: calls
    rollout: {shadow: true, canary: 5%, rollback_if: {faults: off, p99: 2x, fuel: 1.5x, min_calls: 10, for: 30s}}
  q:
notify: {ops: {log: true}}
egress: {hosts: ["*.example.com"], private: [10.0.0.0/8], timeout: 5s, max_request: 1MiB}
folders: {app: .}
signatures: {keys: [team.pub], require: true}
`
	require.NoError(t, readConfig(t, text))
	assert.NoError(t, validate(t, s, "rhost.yaml", text))
}

// Of what ReadConfig refuses, the schema refuses what is in one place.
func TestConfigSchemaRefusesBadConfigs(t *testing.T) {
	s := configSchema(t)
	for _, text := range []string{
		"listne: off",
		"listen: [off]",
		"sources: {a: {file: {path: x}}}",
		"sources: {a: {}}",
		"sources: {a: {stdin: {}, files: {path: x}}}",
		"sources: {a: {files: {path: x, from: middle}}}",
		"sources: {a: {schedule: {every: often}}}",
		"plugins: {p: {limits: {fuel: -1}}}",
		"plugins: {p: {limits: {memory: much}}}",
		"plugins: {p: {limits: {deadline: 5 minutes}}}",
		"plugins: {p: {grant: [files]}}",
		"plugins: {p: {secrets: {t: {env: A, file: b}}}}",
		"plugins: {p: {record: all}}",
		"plugins: {p: {rollout: {canary: 0.5}}}",
		"notify: {ops: {logs: true}}",
		"signatures: {require: 1}",
	} {
		assert.Error(t, readConfig(t, text), text)
		assert.Error(t, validate(t, s, "rhost.yaml", text), text)
	}
}

func readConfig(t *testing.T, text string) error {
	t.Helper()
	app := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(app, "rhost.yaml"), []byte(text), 0o600))
	_, err := host.ReadConfig(app, nil)
	return err
}
