package js_test

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
	const ok = "export function invoke() {}"
	for _, tt := range []struct{ name, src, want string }{
		{"nothing", "", "load p: p.js: it defines no function invoke; add: export function invoke(call) { … }"},
		{"a mistake", "export function invoke() {\n  return 1 +\n}", "load p: p.js:3: Unexpected token }"},
		{"an import", "import x from 'y'\n" + ok, "load p: p.js:1: imports are not supported; put everything into one file"},
		{"a dynamic import", "const x = 1\nconst y = import('y')\n" + ok, "load p: p.js:2: imports are not supported"},
		{"an export from elsewhere", "\nexport {invoke} from 'y'", "load p: p.js:2: imports are not supported"},
		{"a default export", "export default function () {}", "load p: p.js:1: only exports by name are supported; write: export function invoke(call) { … }"},
		{"an export that is not there", "export { run as invoke }", "it defines no function run"},
		{"a big integer", ok + "\nconst x = 2n ** 100000000n", "big integers such as 1n are not supported"},
		{"with", ok + "\nwith (x) { y() }", "p.js:2: with is not part of strict JavaScript"},
		{"sloppy code", "export function invoke() {\n  const x = 1\n  delete x\n}", "p.js:3"},
		{"a rest in a property", "export function invoke() {\n  let o = {};\n  [...o.x] = [1]\n}", "p.js:3: the rest of a pattern can only be put into a variable here"},
		{"a heavy expression", "export function invoke() {\n  return /(a{1000}){99999}/\n}", "p.js:2: the regular expression repeats too much"},
		{"bytes", "\xff\xfe" + ok, "the script is not UTF-8 text; save it as UTF-8"},
		{"a long script", ok + strings.Repeat(" ", 256<<10), "at most 262144 are allowed"},
		{"a deep script", ok + "\n" + strings.Repeat("[", 300) + strings.Repeat("]", 300), "p.js:2: nested deeper than 200 levels"},
		{"a top-level return", "return 1\n" + ok, "p.js:1"},
		{"await outside a function", "await 1\n" + ok, "p.js:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: []byte(tt.src)})
			var refusal *sandbox.Refusal
			require.ErrorAs(t, err, &refusal)
			assert.Contains(t, err.Error(), tt.want)
		})
	}
}

// TestCompileBounds gives the compiler texts that nest what comes after, in
// every way the grammar has. Whatever it makes of them, it is soon done.
func TestCompileBounds(t *testing.T) {
	if testing.Short() || sandboxtest.Race {
		t.Skip("takes a few seconds, and a minute under the race detector")
	}
	e := newEngine(t)
	for _, unit := range []string{
		"(", "[", "{", "!", "-", "new ", "typeof ", "a=", "a?b:", "a?", "x=>", "a**", "a+", "a.", "f()", "f``", "a,", "if(a)",
		"if(a);else ", "for(;;)", "a:", "`${", "a?.b", "({a:", "await ", "yield ", "function(){", "class A extends ",
		"a||", "a??", "do ", "switch(a){case ", "try{", "/(/", "a`", "{}/(", "if(a)/`/;(", "a=b\n", "x={...", "export {", "export ", "x=>\n",
	} {
		for _, size := range []int{250 << 10, 20 << 10} {
			src := "a" + strings.Repeat(unit, size/len(unit)) + "a\nexport function invoke() {}"
			start := time.Now()
			if m, err := e.Compile(t.Context(), sandbox.Source{Name: "p", Bytes: []byte(src)}); err == nil {
				require.NoError(t, m.Close(t.Context()))
			}
			assert.Less(t, time.Since(start), 10*time.Second, "%d bytes of %q", size, unit)
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
	f.Add([]byte("export { a as invoke }; const a = async ({b, ...c}, [d, ...e] = f) => { for (const x of y) { label: for (;;) continue label } }"))
	f.Add([]byte("export const invoke = function* () { yield* `${x}${y}`; a.b[c] += d + e + 'f'; class A { static x = 1; #y; get z() {} } }"))
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
