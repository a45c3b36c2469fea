package host

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
)

const about = `
name: p
version: "1"
abi: rhost.v1
capabilities: {config: {}, kv: {}, http: {hosts: [127.0.0.1]}, secret: {names: [token]}}
limits: {fuel: 50_000, deadline: 1h, memory: 1MiB}
config: {type: object, properties: {n: {type: integer}}, additionalProperties: false}
sample: {event: {type: go, data: {}}, config: {n: 1}}
`

// TestManifest holds a script to what it says of itself.
func TestManifest(t *testing.T) {
	a := newApp(t, map[string]string{
		"rules/r.yaml": callRule, "plugins/p.manifest.yaml": about, "plugins/p.lua": `
function invoke(call)
  return {rhost.has("emit") == nil, rhost.has("kv_get"), rhost.secret("token"), select(2, rhost.secret("other")), call.config.n}
end`,
		"token": "t", "other": "o",
		"rhost.yaml": "plugins:\n  p:\n    grant: [emit, config, kv, secret]\n    config: {n: 5}\n    limits: {fuel: 100_000, deadline: 1m}\n    secrets: {token: {file: token}, other: {file: other}}\n",
	})
	l := a.start()
	s, ok := l.setup("p")
	require.True(t, ok)
	assert.Equal(t, abi.Grant{abi.CapConfig, abi.CapKV, abi.CapSecret}, s.grant, "of what it asks for")
	assert.Equal(t, int64(50_000), s.limits().Fuel, "lowered")
	assert.Equal(t, time.Minute, s.limits().Deadline, "and not raised")
	assert.Equal(t, [][]string{{"127.0.0.1"}}, s.hosts())
	l.send(ev("go", 1, `{}`))
	l.settle()
	assert.Equal(t, []string{`[true,true,"t","denied",5]`}, l.outs())
	l.noticed("warning", "plugin p asks for http, which it is not granted; if it may have it, list http in plugins.p.grant")
	digest := s.info.Digest

	a.write("plugins/p.manifest.yaml", about+"description: a change of the manifest alone\n")
	l.noticed("reloaded", "plugin p")
	s, _ = l.setup("p")
	assert.NotEqual(t, digest, s.info.Digest)

	a.write("plugins/p.manifest.yaml", about+"limit: {}\n")
	l.noticed("kept", "p.manifest.yaml:9:1: limit: nobody knows this key; did you mean limits?")
}

func TestManifestKeepsPluginsOut(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  string
	}{
		"settings": {
			map[string]string{"plugins/p.lua": "function invoke() end", "plugins/p.manifest.yaml": about, "rhost.yaml": "plugins:\n  p: {config: {n: x}}\n"},
			"rhost.yaml:2:6: plugins.p.config.n: got string, want integer; `rhost plugin inspect p` shows what it takes",
		},
		"a key": {
			map[string]string{"plugins/p.js": "function invoke() {}", "plugins/p.manifest.yaml": "name: p\nversion: 1\nabi: rhost.v1\nlimits: {memory: 8M}\n"},
			"p.manifest.yaml:2:1: version: is no text",
		},
		"the sample": {
			map[string]string{"plugins/p.lua": "function invoke() error('no') end", "plugins/p.manifest.yaml": about},
			"self-test of p: call p: trap fault",
		},
		"batches": {
			map[string]string{"plugins/p.lua": "function invoke() end", "plugins/p.manifest.yaml": "name: p\nversion: '1'\nabi: rhost.v1\nbatch: true\n"},
			"load p: manifest: batch: only a Wasm module can take batches; leave it out",
		},
		"beside a module": {
			map[string]string{"plugins/p.wasm": "", "plugins/p.manifest.yaml": about},
			"p.manifest.yaml lies beside a module, which carries its manifest itself",
		},
		"beside nothing": {
			map[string]string{"plugins/p.manifest.yaml": about},
			"p.manifest.yaml is the manifest of a script that is not there; add p.lua or p.js, or remove it",
		},
		"twice": {
			map[string]string{"plugins/p.lua": "function invoke() end\n--rhost.manifest {}", "plugins/p.manifest.yaml": about},
			"carries a manifest in its last line already",
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, tt.files)
			_, err := New(t.Context(), Options{App: a.dir, Data: a.data, Listen: "off"})
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

// TestApplyManifests brings scripts into force with the manifests that the bundle
// has for them.
func TestApplyManifests(t *testing.T) {
	app := applyApp(t)
	l := app.start()
	files := map[string]string{
		"plugins/p.lua": "function invoke() return 1 end", "plugins/p.manifest.yaml": "name: p\nversion: '1'\nabi: rhost.v1\n",
		"plugins/q/q.js": "function invoke() {}", "plugins/q/manifest.yaml": "name: q\nversion: '2'\nabi: rhost.v1\n",
	}
	a, err := l.apply(bundle(files))
	require.NoError(t, err)
	require.Len(t, a.Plugins, 2)
	for name, version := range map[string]string{"p": "1", "q": "2"} {
		s, ok := l.setup(name)
		require.True(t, ok)
		require.NotNil(t, s.info.Manifest, name)
		assert.Equal(t, version, s.info.Manifest.Version)
	}
	files["plugins/q/manifest.yaml"] = "name: q\nversion: '3'\nabi: rhost.v1\nlimit: {}\n"
	_, err = l.apply(bundle(files))
	require.ErrorContains(t, err, "manifest.yaml:4:1: limit: nobody knows this key")
	files["plugins/q/manifest.yaml"] = "name: q\nversion: '3'\nabi: rhost.v1\n"
	a, err = l.apply(bundle(files))
	require.NoError(t, err)
	assert.Len(t, a.Plugins, 1)
	s, _ := l.setup("q")
	assert.Equal(t, "3", s.info.Manifest.Version)
}
