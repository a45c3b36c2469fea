package host_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host"
)

func app(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		full := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
		require.NoError(t, os.WriteFile(full, []byte(text), 0o600))
	}
	return dir
}

func TestReadConfig(t *testing.T) {
	c, err := host.ReadConfig(t.TempDir(), nil)
	require.NoError(t, err)
	assert.Equal(t, host.Config{DataDir: ".rhost", Listen: "127.0.0.1:4000", Tenant: "default", Lanes: 1}, c)

	dir := app(t, map[string]string{"rhost.yaml": "# nothing but a comment\n", "in/a.log": ""})
	c, err = host.ReadConfig(dir, []string{
		"listen=off", "data_dir=/elsewhere", "sources.a.files.path=in/a.log",
		"plugins.p.grant=[emit, state]", "plugins.p.limits.fuel=20_000", "plugins.p.limits.memory=32MiB", "notify.ops={log: true}",
	})
	require.NoError(t, err)
	assert.Equal(t, "off", c.Listen)
	assert.Equal(t, "/elsewhere", c.DataDir)
	assert.Equal(t, "in/a.log", c.Sources["a"].Files.Path, "only the app has it")
	assert.Equal(t, []string{"emit", "state"}, c.Plugins["p"].Grant)
	assert.EqualValues(t, 20_000, c.Plugins["p"].Limits.Fuel)
	assert.EqualValues(t, 32<<20, c.Plugins["p"].Limits.Memory)
	assert.True(t, c.Notify["ops"].Log)

	// A path of the command line is relative to the current folder, as anywhere.
	t.Chdir(app(t, map[string]string{"here.log": ""}))
	c, err = host.ReadConfig(dir, []string{"sources.a.files.path=here.log"})
	require.NoError(t, err)
	assert.True(t, filepath.IsAbs(c.Sources["a"].Files.Path), c.Sources["a"].Files.Path)
}

func TestConfigProblems(t *testing.T) {
	for _, tt := range []struct {
		name, yaml string
		set        []string
		want       []string
	}{
		{name: "unknown key", yaml: "lisen: x\n", want: []string{"rhost.yaml:1", "lisen", "listen"}},
		{name: "unknown keys deep down", yaml: "plugins:\n  p: {limit: {fuel: 1}}\nnotify: {ops: {logs: true}}\n", want: []string{"rhost.yaml:2", "limits", "rhost.yaml:3", "logs"}},
		{name: "two documents", yaml: "tenant: a\n---\ntenant: b\n", want: []string{"rhost.yaml holds one document"}},
		{name: "a list", yaml: "- a\n", want: []string{"rhost.yaml:1"}},
		{name: "no YAML", yaml: "a: [\n", want: []string{"rhost.yaml:"}},
		{name: "tenant", yaml: "tenant: A/B\n", want: []string{"tenant: "}},
		{name: "listen to everyone", yaml: "listen: 0.0.0.0:4000\n", want: []string{"listen: 0.0.0.0 is not a loopback address"}},
		{name: "listen to a name", yaml: "listen: example.com:80\n", want: []string{"is not a loopback address"}},
		{name: "listen without port", yaml: "listen: localhost\n", want: []string{"write HOST:PORT"}},
		{name: "two kinds", yaml: "sources:\n  a: {stdin: {}, webhook: {type: t}}\n", want: []string{"rhost.yaml:2", "sources.a: declares 2 kinds (webhook, stdin)"}},
		{name: "no kind", yaml: "sources:\n  a: {}\n", want: []string{"declares 0 kinds"}},
		{name: "unknown kind", yaml: "sources:\n  a: {file: {}}\n", want: []string{"files"}},
		{name: "several at once", yaml: "listen: x\ntenant: A/B\nsources: {a: {}}\nplugins: {p: {grant: [fly], limits: {stack: -1}}}\n", want: []string{"listen: ", "tenant: ", "sources.a", `"fly" is no capability`, "no limit may be below 0"}},
		{name: "set without value", set: []string{"listen"}, want: []string{"--set listen: write it as KEY.KEY=VALUE"}},
		{name: "set without key", set: []string{"=x"}, want: []string{"write it as KEY.KEY=VALUE"}},
		{name: "set below text", yaml: "tenant: a\n", set: []string{"tenant.x=1"}, want: []string{"tenant is not a map"}},
		{name: "set below a list", yaml: "egress: {hosts: [a]}\n", set: []string{"egress.hosts.0=1"}, want: []string{"egress.hosts is not a map"}},
		{name: "set an unknown key", set: []string{"sources.a.filez.path=x"}, want: []string{"--set sources.a.filez.path", "files"}},
		{name: "set an empty key", set: []string{"sources..x=1"}, want: []string{"--set sources..x"}},
		{name: "set what is no YAML", set: []string{"tenant=[a"}, want: []string{"--set tenant"}},
		{name: "set of the wrong type", set: []string{"plugins.p.limits.fuel=lots"}, want: []string{"--set plugins.p.limits.fuel"}},
		{name: "every set", set: []string{"a", "b"}, want: []string{"--set a: ", "--set b: "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := host.ReadConfig(app(t, map[string]string{"rhost.yaml": tt.yaml}), tt.set)
			require.Error(t, err)
			for _, want := range tt.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
}

func FuzzConfig(f *testing.F) {
	f.Add("listen: off\n", "tenant=a")
	f.Add("", "sources.a.files.path=x")
	f.Add("- a", "a.b=\n")
	f.Add("null", "a=#")
	f.Fuzz(func(t *testing.T, yaml, set string) {
		dir := app(t, map[string]string{"rhost.yaml": yaml})
		_, _ = host.ReadConfig(dir, nil)
		_, _ = host.ReadConfig(dir, []string{set})
	})
}

func TestReadRules(t *testing.T) {
	files, err := host.ReadRules(t.TempDir())
	require.NoError(t, err)
	assert.Empty(t, files, "no folder, no rules")
	files, err = host.ReadRules(app(t, map[string]string{"rules/b.yml": "b", "rules/a.yaml": "a", "rules/.c.yaml": "c", "rules/d.txt": "d", "rules/e.yaml/f.yaml": "f"}))
	require.NoError(t, err)
	assert.Equal(t, []host.RuleFile{{Name: "rules/a.yaml", Text: "a"}, {Name: "rules/b.yml", Text: "b"}}, files)

	_, err = host.ReadRules(app(t, map[string]string{"rules": "a file"}))
	assert.ErrorContains(t, err, "read rules: ")
	dir := app(t, map[string]string{"rules/a.yaml": "x"})
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "rules/b.yaml")))
	_, err = host.ReadRules(dir)
	assert.ErrorContains(t, err, "b.yaml")
	if os.Geteuid() != 0 {
		require.NoError(t, os.Chmod(filepath.Join(dir, "rules"), 0))
		defer os.Chmod(filepath.Join(dir, "rules"), 0o755) //nolint:errcheck // for the removal
		_, err = host.ReadRules(dir)
		assert.ErrorContains(t, err, "read rules: ")
	}
}

// TestWrongStarts is about a start that cannot succeed: it says why and what to
// do, and leaves nothing behind.
func TestWrongStarts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close() //nolint:errcheck // the test is over
	good := app(t, map[string]string{"rules/r.yaml": "rule: r\nwhen: type == \"t\"\n"})
	file := filepath.Join(good, "rules", "r.yaml")
	for _, tt := range []struct {
		name string
		o    host.Options
		want []string
	}{
		{"no app", host.Options{App: filepath.Join(good, "none")}, []string{"open app: "}},
		{"app is a file", host.Options{App: file}, []string{"is not a folder"}},
		{"data is a file", host.Options{App: good, Data: file}, []string{"open data folder: ", "--data"}},
		{"port in use", host.Options{App: good, Listen: taken.Addr().String()}, []string{"listen on " + taken.Addr().String(), "--listen off"}},
		{"listen refused", host.Options{App: good, Listen: "0.0.0.0:0"}, []string{"not a loopback address"}},
		{"socket path too long", host.Options{App: good, Data: filepath.Join(t.TempDir(), strings.Repeat("x", 120)), Listen: "off"}, []string{"open local socket: ", "--data"}},
		{"settings for nobody", host.Options{App: app(t, map[string]string{"rhost.yaml": "plugins:\n  ghost: {grant: [emit]}\n"})}, []string{"rhost.yaml:2", "plugins.ghost: no plugin of that name"}},
		{"no such plugin", host.Options{App: app(t, map[string]string{"rules/r.yaml": "rule: r\nwhen: type == \"t\"\ndo: [{run: ghost}]\n"})}, []string{"rules/r.yaml", "no plugin is called ghost"}},
		{"everything at once", host.Options{App: app(t, map[string]string{"rhost.yaml": "a: b\n", "rules/r.yaml": "rule: r\nwhen: type == \n", "rules/s.yaml": "rule: [\n"})}, []string{"rhost.yaml:1", "rules/r.yaml", "rules/s.yaml"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // the second finds nothing of the first in its way
				h, err := host.New(t.Context(), tt.o)
				require.Error(t, err)
				assert.Nil(t, h)
				for _, want := range tt.want {
					assert.ErrorContains(t, err, want)
				}
			}
		})
	}
}

func TestTwoHostsOnOneFolder(t *testing.T) {
	o := host.Options{App: app(t, map[string]string{"rules/r.yaml": "rule: r\nwhen: type == \"t\"\n"}), Listen: "off"}
	first, err := host.New(t.Context(), o)
	require.NoError(t, err)
	_, err = host.New(t.Context(), o)
	assert.ErrorContains(t, err, "it is in use by")
	_, err = host.OpenArchive(t.Context(), filepath.Join(o.App, ".rhost"))
	assert.ErrorContains(t, err, "it is in use by")
	require.NoError(t, first.Close())
	require.NoError(t, first.Close(), "a second close is fine")
	a, err := host.OpenArchive(t.Context(), filepath.Join(o.App, ".rhost"))
	require.NoError(t, err)
	require.NoError(t, a.Close())
	_, err = host.OpenArchive(t.Context(), t.TempDir())
	assert.ErrorContains(t, err, "holds no log")

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = host.New(ended, o)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestClusterConfig(t *testing.T) {
	good := "cluster: {name: n, node: a, listen: '127.0.0.1:7001', peers: ['127.0.0.1:7001', '127.0.0.1:7002', '127.0.0.1:7003'], secret_file: secret}\n"
	dir := app(t, map[string]string{"rhost.yaml": good, "secret": "0123456789abcdef\n"})
	c, err := host.ReadConfig(dir, []string{"cluster.node=b", "cluster.listen=127.0.0.1:7002"})
	require.NoError(t, err)
	assert.Equal(t, "b", c.Cluster.Node)
	assert.Equal(t, "127.0.0.1:7002", c.Cluster.Listen)

	_, err = host.New(t.Context(), host.Options{App: dir, Data: t.TempDir(), Listen: "off"})
	require.ErrorContains(t, err, "part of a cluster")
	_, err = host.NewNode(t.Context(), host.Options{App: dir, Data: t.TempDir(), Listen: "off", Once: true})
	require.ErrorContains(t, err, "--once")

	for _, tt := range []struct {
		name, yaml string
		want       []string
	}{
		{name: "nothing", yaml: "cluster: {}\n", want: []string{"rhost.yaml:1", "cluster.node", "cluster.name", "cluster.listen", "cluster.peers", "cluster.secret_file"}},
		{name: "two nodes", yaml: "cluster: {name: n, node: a, listen: 'x:1', peers: ['x:1', 'y:1'], secret_file: s}\n", want: []string{"cluster.peers: 2 are named"}},
		{name: "not among the peers", yaml: "cluster: {name: n, node: a, listen: 'w:1', peers: ['x:1', 'y:1', 'z:1'], secret_file: s}\n", want: []string{"cluster.listen: w:1 is none of peers (x:1, y:1, z:1)"}},
		{name: "both", yaml: "cluster: {node: a, servers: ['nats://x:1'], listen: 'x:1'}\n", want: []string{"cluster.servers: they are elsewhere"}},
		{name: "credentials of nobody", yaml: "cluster: {name: n, node: a, listen: 'x:1', peers: ['x:1', 'y:1', 'z:1'], secret_file: s, token_file: t}\n", want: []string{"token_file"}},
		{name: "two copies", yaml: "cluster: {node: a, servers: ['nats://x:1'], replicas: 2}\n", want: []string{"replicas: 2 is not 1, 3 or 5"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := host.ReadConfig(app(t, map[string]string{"rhost.yaml": tt.yaml}), nil)
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
		})
	}

	for _, tt := range []struct {
		name, yaml, secret, want string
	}{
		{"no secret", good, "", "cluster.secret_file"},
		{"short secret", good, "short", "cluster.secret_file: the secret has 5 bytes"},
		{"no token", "cluster: {node: a, servers: ['nats://127.0.0.1:1'], token_file: gone}\n", "x", "cluster.token_file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := app(t, map[string]string{"rhost.yaml": tt.yaml, "secret": tt.secret})
			_, err := host.NewNode(t.Context(), host.Options{App: dir, Data: t.TempDir(), Listen: "off"})
			require.ErrorContains(t, err, tt.want)
		})
	}
}
