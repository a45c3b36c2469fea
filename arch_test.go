package rhost_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/rhost/rhost"

// A rule says what one part of the tree may import. Paths are relative to the
// module; a trailing "/..." covers everything at or beneath it.
type rule struct {
	from  string   // packages the rule speaks about
	allow []string // packages of this module they may import
	deny  []string // other packages they must not import
	why   string   // printed when the rule is broken
}

var rules = []rule{
	{from: "event/...", allow: []string{"event"}, why: "event is the leaf that everyone shares"},
	{from: "yamldoc/...", why: "yamldoc reads documents; it knows nothing of what they say"},
	{from: "tenants/...", deny: []string{"net/...", "os"}, why: "limits are arithmetic"},
	{from: "abi/...", allow: []string{"event", "abi/..."}, deny: []string{"net/...", "os"}, why: "abi is a contract, not a runtime"},
	{from: "cep/...", allow: []string{"event", "yamldoc", "cep/..."}, deny: []string{"net/...", "os"}, why: "cep decides; it does no I/O"},
	{from: "sandbox/worker/...", allow: []string{"event", "abi/...", "sandbox/..."}, why: "workers talk to their host over a socket"},
	{from: "sandbox/...", allow: []string{"event", "abi/...", "sandbox/..."}, deny: []string{"net/..."}, why: "a sandbox knows calls and limits, not who set them"},
	{from: "host/workflow/...", allow: []string{"event", "yamldoc", "host/workflow/...", "host/form"}, deny: []string{"net/...", "os"}, why: "workflow decides; its store and its actions are passed in"},
	{from: "host/eventlog/...", allow: []string{"event", "host/eventlog/...", "host/sumline"}, why: "the log carries events without reading them"},
	{from: "host/cluster/...", allow: []string{"host/cluster/..."}, why: "the cluster decides who owns what; what is owned is handed in"},
	{from: "host/backup/...", allow: []string{"host/eventlog", "host/backup/..."}, why: "a backup copies frames and files; what they mean is handed in"},
	{from: "host/dispatch/...", allow: []string{"event", "abi", "cep", "sandbox", "tenants", "host/dispatch/..."}, why: "dispatch joins matches to calls and nothing else"},
	{from: "host/deploy/...", allow: []string{"event", "yamldoc", "abi/...", "cep", "sandbox", "host/deploy/...", "host/sumline"}, why: "deploy prepares versions; dispatch uses them"},
	{from: "host/notify/...", allow: []string{"event", "host/notify/..."}, why: "channels do not reach sideways"},
	{from: "host/connect/...", allow: []string{"event", "host/connect/..."}, why: "connectors do not reach sideways"},
	{from: "host/analytics/...", allow: []string{"event", "cep/window", "host/analytics/..."}, why: "analytics shares windows with cep, nothing more"},
	{from: "host/audit/...", allow: []string{"event", "host/audit/..."}, why: "the audit log trusts no other part"},
	{from: "host/egress/...", allow: []string{"event", "host/egress/..."}, why: "egress guards requests; it does not know who makes them"},
	{from: "host/files/...", allow: []string{"event", "host/files/...", "host/sumline"}, why: "files changes granted folders; it does not know who asks"},
	{from: "host/form", why: "a form of numbers and texts knows nothing of what they mean"},
	{from: "host/sumline", why: "a checksum knows nothing of what it is of"},
	{from: "host/api/...", allow: []string{"event", "tenants", "host/api/..."}, why: "api declares the small interfaces it serves"},
	{from: "host", allow: []string{"event", "yamldoc", "abi/...", "cep", "cep/analysis", "sandbox/...", "tenants", "console", "host/..."}, why: "host wires the parts together"},
	{from: "console/...", why: "the console is files"},
	{from: "sdk/...", allow: []string{"event", "abi/...", "sdk/..."}, why: "a guest author needs the contract alone"},
	{from: "bench/...", allow: []string{"event", "yamldoc", "abi/...", "cep/...", "sandbox/...", "tenants", "host/..."}, why: "benchmarks reach every part"},
	{from: "plugins/...", allow: []string{"abi/...", "sdk/guest"}, why: "examples show what a guest author can do"},
	{from: "cmd/...", allow: []string{"host", "host/deploy/...", "cep/...", "event", "yamldoc", "abi/...", "sandbox/...", "sdk/..."}, why: "commands start things, and carry the SDKs to write them out"},
}

// owners names the only places that may import a large dependency.
var owners = map[string][]string{
	"github.com/nats-io/...":            {"host/eventlog/...", "host/connect/natsio"},
	"github.com/tetratelabs/wazero/...": {"sandbox/wasm/..."},
	"github.com/yuin/gopher-lua/...":    {"sandbox/lua/..."},
	"github.com/dop251/goja/...":        {"sandbox/js/..."},
	"github.com/goccy/go-yaml/...":      {"yamldoc/..."},
	"cel.dev/cel-go/...":                {"cep/predicate/..."},
	// Settings of plugins are checked where manifests are read; that has nothing to do
	// with types of events, and cep must not be reached from abi.
	"github.com/santhosh-tekuri/...": {"cep/predicate/...", "abi/manifest"},
	"github.com/DataDog/...":         {"cep/window/..."},
	"github.com/axiomhq/...":         {"cep/window/..."},
	"github.com/klauspost/...":       {"host"},
	"oras.land/...":                  {"host/deploy/oci"},
	"github.com/opencontainers/...":  {"host/deploy/oci"},
}

func TestImports(t *testing.T) {
	graph := imports(t)
	for _, from := range slices.Sorted(maps.Keys(graph)) {
		i := slices.IndexFunc(rules, func(r rule) bool { return covers(r.from, from) })
		if i < 0 {
			t.Errorf("%s has no rule; say what it may import", from)
			continue
		}
		for _, to := range graph[from] {
			inner, ours := strings.CutPrefix(to, module+"/")
			if ours && !coversAny(rules[i].allow, inner) || coversAny(rules[i].deny, to) {
				t.Errorf("%s imports %s: %s", from, to, rules[i].why)
			}
			for dep, places := range owners {
				if covers(dep, to) && !coversAny(places, from) {
					t.Errorf("%s imports %s, which belongs to %s", from, to, strings.Join(places, " and "))
				}
			}
		}
	}
}

// imports maps each package folder to what its non-test files import. It reads
// the files itself, so the test cache notices when any of them changes.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	graph := make(map[string][]string)
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); base != "." && strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := path.Dir(filepath.ToSlash(name))
		if _, ok := graph[dir]; !ok {
			graph[dir] = nil // a package without imports still counts
		}
		for _, spec := range f.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			graph[dir] = append(graph[dir], to)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return graph
}

func coversAny(patterns []string, p string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return covers(pattern, p) })
}

// covers reports whether p is pattern or, for "x/...", lies at or below x.
func covers(pattern, p string) bool {
	base, tree := strings.CutSuffix(pattern, "/...")
	return p == base || tree && strings.HasPrefix(p, base+"/")
}
