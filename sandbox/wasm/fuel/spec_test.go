package fuel_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// specDir is where wazero keeps the specification's tests, in the module cache.
func specDir(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("thousands of modules take seconds")
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	require.NoError(t, err)
	dir := filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the specification's tests are not there: %v", err)
	}
	return dir
}

// specScript is one file of the specification's tests.
type specScript struct {
	Commands []specCommand `json:"commands"`
}

type specCommand struct {
	Type     string `json:"type"`
	Line     int    `json:"line"`
	Name     string `json:"name"`
	As       string `json:"as"`
	Filename string `json:"filename"`
	Text     string `json:"text"`
	Kind     string `json:"module_type"`
	Action   struct {
		Type   string      `json:"type"`
		Module string      `json:"module"`
		Field  string      `json:"field"`
		Args   []specValue `json:"args"`
	} `json:"action"`
}

type specValue struct {
	Type  string `json:"type"`
	Lane  string `json:"lane_type"`
	Value any    `json:"value"`
}

// TestSpecification runs the specification's tests twice, as they are and
// instrumented: every call gives the same results, or fails in both.
func TestSpecification(t *testing.T) {
	dir := specDir(t)
	for _, suite := range []string{"v1", "v2", "tail-call", "extended-const"} {
		files, err := filepath.Glob(filepath.Join(dir, suite, "testdata", "*.json"))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		t.Run(suite, func(t *testing.T) {
			s := &specSuite{dir: dir}
			s.config.TailCalls, s.config.ExtendedConst = suite == "tail-call", suite == "extended-const"
			for _, file := range files {
				t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) { s.script(t, file) })
			}
			t.Logf("%d modules, %d refused for ref.func, %d calls, %d invalid modules refused", s.modules, s.refused, s.calls, s.invalid)
			assert.Positive(t, s.calls)
		})
	}
}

type specSuite struct {
	dir                              string
	config                           fuel.Config // admits what the suite is about
	modules, refused, calls, invalid int
}

// specRun is one script at work in two runtimes.
type specRun struct {
	*specSuite
	t       *testing.T
	dir     string
	plain   *machine
	metered *machine
	guests  []*guest
	named   map[string]specPair
	last    specPair
}

type specPair struct {
	plain   api.Module
	metered *guest // nil when the module was refused
}

func (s *specSuite) script(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var script specScript
	require.NoError(t, json.Unmarshal(text, &script))
	r := &specRun{
		specSuite: s, t: t, dir: filepath.Dir(file), named: make(map[string]specPair),
		plain:   newMachine(t, wazero.NewRuntimeConfigCompiler()),
		metered: newMachine(t, wazero.NewRuntimeConfigCompiler()),
	}
	host, err := os.ReadFile(filepath.Join(s.dir, "testdata", "spectest.wasm"))
	require.NoError(t, err)
	for _, m := range []*machine{r.plain, r.metered} {
		_, err := m.rt.InstantiateWithConfig(m.ctx, host, wazero.NewModuleConfig().WithName("spectest"))
		require.NoError(t, err)
	}
	for i, c := range script.Commands {
		switch c.Type {
		case "module":
			r.module(c, registeredAs(script.Commands[i+1:], c.Name))
		case "action", "assert_return", "assert_trap", "assert_exhaustion":
			r.action(c)
		case "assert_invalid", "assert_malformed":
			r.invalidModule(c)
		}
	}
}

// registeredAs is the name under which later modules import this one, which is
// given to it after it is instantiated and must be known before here.
func registeredAs(rest []specCommand, name string) string {
	last := true // no other module has come since
	for _, c := range rest {
		switch {
		case c.Type == "register" && (c.Name == "" && last || c.Name != "" && c.Name == name):
			return c.As
		case c.Type == "module":
			last = false
		}
	}
	return ""
}

func (r *specRun) module(c specCommand, as string) {
	r.modules++
	r.last = specPair{}
	wasm, err := os.ReadFile(filepath.Join(r.dir, c.Filename))
	require.NoError(r.t, err)
	r.last.plain, err = r.plain.rt.InstantiateWithConfig(r.plain.ctx, wasm, wazero.NewModuleConfig().WithName(as).WithStartFunctions())
	require.NoError(r.t, err, "line %d", c.Line)
	if _, err := fuel.Scan(wasm, fuel.Bounds{}); err != nil {
		require.ErrorContains(r.t, err, "ref.func: is not admitted", "line %d, %s", c.Line, c.Filename)
		r.refused++
	} else {
		r.last.metered = r.instance(wasm, as)
	}
	if c.Name != "" {
		r.named[c.Name] = r.last
	}
}

func (r *specRun) instance(wasm []byte, as string) *guest {
	g := r.metered.loadOnce(r.t, wasm, r.config, as)
	r.guests = append(r.guests, g)
	if g.res.Start != "" {
		g.uses(r.t, g.res.Start)
	}
	return g
}

func (r *specRun) action(c specCommand) {
	pair := r.last
	if c.Action.Module != "" {
		pair = r.named[c.Action.Module]
	}
	if c.Action.Type != "invoke" || pair.metered == nil {
		return
	}
	r.calls++
	args := specArgs(c.Action.Args)
	for _, g := range r.guests {
		g.global(fuel.DepthGlobal).Set(fuel.MaxDepth)
	}
	got, _, err := pair.metered.call(c.Action.Field, plenty, plenty/1000, args...) // a share for each module
	if c.Type == "assert_exhaustion" {
		require.ErrorIs(r.t, err, errStack, "line %d", c.Line)
		return
	}
	want, wantErr := pair.plain.ExportedFunction(c.Action.Field).Call(r.plain.ctx, args...)
	if wantErr != nil {
		require.Error(r.t, err, "line %d", c.Line)
		first, _, _ := strings.Cut(wantErr.Error(), "\n")
		assert.Equal(r.t, first, strings.SplitN(err.Error(), "\n", 2)[0], "line %d", c.Line)
		return
	}
	require.NoError(r.t, err, "line %d", c.Line)
	for i, t := range pair.plain.ExportedFunction(c.Action.Field).Definition().ResultTypes() {
		if t == api.ValueType(fuel.FuncRef) {
			want[i], got[i] = min(want[i], 1), min(got[i], 1) // addresses in the engine
		}
	}
	assert.Equal(r.t, want, got, "line %d", c.Line)
}

// invalidModule: whatever the specification refuses in binary form, so do we.
func (r *specRun) invalidModule(c specCommand) {
	if c.Kind != "binary" || filepath.Base(filepath.Dir(r.dir)) == "v1" || strings.HasSuffix(c.Filename, ".wat") {
		return // what the first version refuses is part of the second
	}
	wasm, err := os.ReadFile(filepath.Join(r.dir, c.Filename))
	require.NoError(r.t, err)
	_, err = fuel.Instrument(wasm, r.config)
	assert.Error(r.t, err, "line %d, %s: %s", c.Line, c.Filename, c.Text)
	r.invalid++
}

func specArgs(list []specValue) []uint64 {
	var args []uint64
	for _, v := range list {
		switch value := v.Value.(type) {
		case []any:
			args = append(args, specVector(v.Lane, value)...)
		case string:
			args = append(args, specScalar(v.Type, value))
		}
	}
	return args
}

func specScalar(t, value string) uint64 {
	if value == "null" {
		return 0
	}
	n := must(strconv.ParseUint(value, 10, 64))
	if t == "externref" {
		n++ // zero is null in wazero
	}
	return n
}

func specVector(lane string, values []any) []uint64 {
	bits := map[string]int{"i8": 8, "i16": 16, "i32": 32, "f32": 32, "i64": 64, "f64": 64}[lane]
	var v [2]uint64
	for i, value := range values {
		n := must(strconv.ParseUint(value.(string), 10, 64))
		at := i * bits
		v[at/64] |= n << (at % 64)
	}
	return v[:]
}
