package lua_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/sandboxtest"
)

func TestCompileRefuses(t *testing.T) {
	e := newEngine(t)
	const ok = "function invoke() end"
	for _, tt := range []struct{ name, src, want string }{
		{"nothing", "", "load p: p.lua: it defines no global function invoke; add: function invoke(call) … end"},
		{"a local invoke", "local " + ok, "it defines no global function invoke"},
		{"a mistake", "function invoke()\n  return = 1\nend", "load p: p.lua:2: syntax error near '='"},
		{"an end that is missing", "function invoke()\n", "load p: p.lua: syntax error at the end of the script"},
		{"bytes", "\xff\xfe" + ok, "the script is not UTF-8 text; save it as UTF-8"},
		{"compiled Lua", "\x1bLua", "it is compiled Lua; load its source"},
		{"a long script", ok + strings.Repeat(" ", 256<<10), "at most 262144 are allowed; split it"},
		{"deep tables", ok + "\nx = " + strings.Repeat("{", 300) + strings.Repeat("}", 300), "load p: p.lua:2: nested deeper than 200 levels"},
		{"deep operators", ok + "\nx = " + strings.Repeat("not ", 300) + "1", "load p: p.lua:2: nested deeper than 200 levels"},
		{"deep blocks", ok + "\n" + strings.Repeat("do ", 300) + strings.Repeat("end ", 300), "nested deeper than 200 levels"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: []byte(tt.src)})
			var refusal *sandbox.Refusal
			require.ErrorAs(t, err, &refusal)
			assert.Contains(t, err.Error(), tt.want)
		})
	}
}

// TestCompileAdmits checks that the count of nesting is not fooled into refusing
// ordinary text.
func TestCompileAdmits(t *testing.T) {
	e := newEngine(t)
	long := make([]string, 0, 1000)
	for range 1000 {
		long = append(long, "x = -1 + #'a' - (2) --[[ { ( ]] if x then y = {} elseif not x then y = [[ ({ ]] end")
	}
	src := "function invoke() end\n" + strings.Join(long, "\n")
	m, err := e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: []byte(src)})
	require.NoError(t, err)
	require.NoError(t, m.Close(t.Context()))
}

// TestCompileBounds gives the compiler texts that nest what comes after, in
// every way the grammar has. Whatever it makes of them, it is soon done.
func TestCompileBounds(t *testing.T) {
	if testing.Short() || sandboxtest.Race {
		t.Skip("takes a few seconds, and a minute under the race detector")
	}
	e := newEngine(t)
	for _, unit := range []string{
		"(", "{", "[", "not ", "-", "#", "^", "a^", "a..", "a+", "a and ", "a==", "a.", "a[", "a(", "()", "{}", "''", ":a()", "a,",
		"do ", "while a do ", "if a then ", "elseif a then ", "else ", "repeat ", "for i=1,2 do ", "function() ", "function f() ",
		"local a=", "return ", "goto a ", "::a:: ", "[[", "[==[", "--[[", "\"", "a=1 ", "local a ", "a;", "x={",
	} {
		for _, prefix := range []string{"", "if a then ", "x = a", "x = "} {
			src := prefix + strings.Repeat(unit, (250<<10)/len(unit)) + "\nfunction invoke() end"
			start := time.Now()
			if m, err := e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: []byte(src)}); err == nil {
				require.NoError(t, m.Close(t.Context()))
			}
			assert.Less(t, time.Since(start), 10*time.Second, "%q", unit)
		}
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	assert.Less(t, mem.StackSys, uint64(512<<20), "the stack that the compiler needed")
}

// FuzzCompile holds the compiler to never panic, whatever it is given.
func FuzzCompile(f *testing.F) {
	for _, g := range guests() {
		f.Add(g.Bytes)
	}
	f.Add([]byte("invoke = function(...) local a <const>, b = ... goto x ::x:: for k, v in pairs{...} do a.b['c'] = #v ^ -1 end end"))
	e := newEngine(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		m, err := e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: src})
		if err != nil {
			var refusal *sandbox.Refusal
			require.ErrorAs(t, err, &refusal)
			return
		}
		require.NoError(t, m.Close(t.Context()))
	})
}
