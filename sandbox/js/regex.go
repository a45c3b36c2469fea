package js

import (
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"

	"github.com/rhost/rhost/sandbox"
)

// The interpreter has two matchers. Most expressions run on Go's, in time
// proportional to text and expression; but those that look around or refer back,
// and any that goes on in the middle of a text, run on one that tries every way
// there is, and cannot be interrupted by the meter. That one is given a time;
// when it is used up, the call ends.
const (
	regexTime   = 100 * time.Millisecond
	maxPattern  = 4 << 10
	maxWeight   = 64 << 10
	longMatch   = 64 << 10
	weightUnits = 16 // weight that one unit of fuel pays for, for each character
)

// limitRegex gives the time to the matcher. It is a variable of the process.
//
//nolint:gochecknoglobals // as above
var limitRegex = sync.OnceFunc(func() { regexp2.DefaultMatchTimeout = regexTime })

// regexPatches are the functions that run regular expressions.
func regexPatches() []patch {
	unsupported := func(g *guest, _ native) native {
		return func(goja.FunctionCall) goja.Value {
			g.throw("RegExp.prototype.compile is not supported")
			return nil
		}
	}
	return []patch{
		{"RegExp", true, "exec", executing},
		{"RegExp", true, "test", executing},
		{"RegExp", true, "compile", unsupported},
		{"String", true, "match", withPattern((*guest).match)},
		{"String", true, "matchAll", withPattern((*guest).matchAll)},
		{"String", true, "search", withPattern((*guest).once)},
		{"String", true, "split", withPattern((*guest).split)},
		{"String", true, "replace", withPattern((*guest).replace)},
		{"String", true, "replaceAll", withPattern((*guest).replace)},
	}
}

// weigh estimates how many states an expression has: its length, as often as it
// repeats a part.
func weigh(pattern string) int64 {
	weight, most := int64(len(pattern)), int64(1)
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '{' {
			continue
		}
		n := int64(0)
		for i++; i < len(pattern) && (isDigit(pattern[i]) || pattern[i] == ','); i++ {
			if pattern[i] == ',' {
				n = 0
				continue
			}
			n = min(n*10+int64(pattern[i]-'0'), 1<<20)
			most = max(most, n)
		}
	}
	return weight * most
}

// tooHeavy says why an expression is not accepted; "" when it is.
func tooHeavy(pattern string) string {
	if len(pattern) > maxPattern {
		return "the regular expression is too long"
	}
	if weigh(pattern) > maxWeight {
		return "the regular expression repeats too much"
	}
	return ""
}

// pattern takes in an expression that the script made of a text.
func (g *guest) pattern(p string) {
	if reason := tooHeavy(p); reason != "" {
		g.throw("%s", reason)
	}
	g.weight = max(g.weight, weigh(p))
	g.must(g.Spend(int64(len(p))*8) && g.Alloc(regexBytes+64*weigh(p)))
}

// payMatch pays for one run over n characters.
func (g *guest) payMatch(n int) {
	g.must(g.Spend(4+int64(n)*(1+g.weight/weightUnits)/4) && g.Alloc(regexBytes))
	if n > longMatch {
		g.must(g.Alloc(8 * int64(n))) // the stack of the matcher that tries every way
	}
}

// timed runs a matcher and ends the call when it used up its time, because then
// its answer is wrong. Time in functions of the script does not count.
func (g *guest) timed(run func() goja.Value) goja.Value {
	outer := g.callback
	g.callback = 0
	start := time.Now()
	v := run()
	if time.Since(start)-g.callback >= regexTime*9/10 {
		g.Fail(sandbox.FaultDeadline, errSlowRegex)
		g.halt()
	}
	g.callback = outer
	g.must(g.Tick())
	return v
}

var errSlowRegex = errors.New("a regular expression ran for too long; make it simpler or its text shorter")

// matcher is what the interpreter's own expressions answer, however the script
// has changed their prototype.
type matcher struct {
	exec, source, flags native
	constructor         *goja.Object
	linear              map[string]bool // by flags and source: runs in linear time on ASCII text
}

//nolint:gochecknoglobals // compiled once
var matcherProbe = goja.MustCompile("", `(function () {
	const get = (name) => Object.getOwnPropertyDescriptor(RegExp.prototype, name).get;
	return [RegExp.prototype.exec, get("source"), get("flags")];
})()`, true)

// matcher finds the functions, once. It is asked for before the script begins
// if the script can use an expression at all.
func (g *guest) regex() *matcher {
	if g.rx == nil {
		v, err := g.vm.RunProgram(matcherProbe)
		check(err)
		list := v.ToObject(g.vm)
		find := func(i string) native {
			f, ok := member(list, i).Export().(native)
			if !ok {
				panic("js: the probe gave no function")
			}
			return f
		}
		g.rx = &matcher{find("0"), find("1"), find("2"), g.global("RegExp"), make(map[string]bool)}
	}
	return g.rx
}

// isRegex gives the expression that a value is.
func isRegex(v goja.Value) (*goja.Object, bool) {
	o, ok := v.(*goja.Object)
	return o, ok && o.ClassName() == "RegExp"
}

func (g *guest) flagsOf(rx *goja.Object) string {
	return g.regex().flags(goja.FunctionCall{This: rx}).String()
}

// isLinear reports whether the interpreter runs all matches of an expression in
// a text in linear time.
func (g *guest) isLinear(rx *goja.Object, s goja.String) bool {
	m := g.regex()
	flags, source := g.flagsOf(rx), m.source(goja.FunctionCall{This: rx}).String()
	linear, known := m.linear[flags+"/"+source]
	if !known {
		linear = !strings.Contains(flags, "y") && compilesLinear(source, strings.Contains(flags, "s"), strings.Contains(flags, "u"))
		m.linear[flags+"/"+source] = linear
	}
	return linear && isASCII(s)
}

// compilesLinear asks what the interpreter asks when it picks a matcher.
func compilesLinear(source string, dotAll, unicode bool) bool {
	translated, err := parser.TransformRegExp(source, dotAll, unicode)
	if err != nil {
		return false
	}
	_, err = regexp.Compile(translated)
	return err == nil
}

func isASCII(s goja.String) bool {
	text, ok := s.Export().(string)
	if !ok || len(text) != s.Length() {
		return false
	}
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

// executing is for the functions that look for one match.
func executing(g *guest, original native) native {
	g.regex()
	return func(call goja.FunctionCall) goja.Value {
		s := g.toString(arg(call, 0))
		g.payMatch(s.Length())
		return g.timed(func() goja.Value {
			return original(goja.FunctionCall{This: call.This, Arguments: []goja.Value{s}})
		})
	}
}

// withPattern is for functions of strings whose first argument may be a regular
// expression. Other objects become strings, so that none can answer in place of
// an expression.
func withPattern(f func(g *guest, original native, s goja.String, call goja.FunctionCall) goja.Value) func(*guest, native) native {
	return func(g *guest, original native) native {
		g.regex()
		return func(call goja.FunctionCall) goja.Value {
			s := g.this(call)
			args := slices.Clone(call.Arguments)
			if len(args) > 0 {
				if _, ok := isRegex(args[0]); !ok && !goja.IsUndefined(args[0]) {
					args[0] = g.toString(args[0])
				}
			}
			g.payMatch(s.Length())
			v := f(g, original, s, goja.FunctionCall{This: s, Arguments: args})
			g.payPieces(v)
			return v
		}
	}
}

// payPieces pays for a list of parts of a string, or for a string.
func (g *guest) payPieces(v goja.Value) {
	if n, ok := g.arrayLength(v); ok {
		g.must(g.Spend(n) && g.Alloc(n*(itemBytes+textBytes)))
	}
	if t, ok := v.(goja.String); ok {
		g.newText(int64(t.Length()))
	}
}

// asPattern pays for a string that becomes an expression.
func (g *guest) asPattern(call goja.FunctionCall) {
	if s, ok := arg(call, 0).(goja.String); ok {
		g.pattern(s.String())
	}
}

// once is for functions that look for the first match alone.
func (g *guest) once(original native, _ goja.String, call goja.FunctionCall) goja.Value {
	g.asPattern(call)
	return g.timed(func() goja.Value { return original(call) })
}

// matchAll gives an iterator that looks for its matches with exec, which is why
// that is put in place with it.
func (g *guest) matchAll(original native, s goja.String, call goja.FunctionCall) goja.Value {
	g.reach("exec")
	return g.once(original, s, call)
}

func (g *guest) match(original native, s goja.String, call goja.FunctionCall) goja.Value {
	rx, ok := isRegex(arg(call, 0))
	if !ok || !strings.Contains(g.flagsOf(rx), "g") || g.isLinear(rx, s) {
		return g.once(original, s, call)
	}
	var out []any
	g.eachMatch(rx, s, func(m *goja.Object) { out = append(out, m.Get("0")) })
	if out == nil {
		return goja.Null()
	}
	return g.vm.NewArray(out...)
}

// eachMatch finds all matches of a global expression one by one, each charged
// and timed on its own.
func (g *guest) eachMatch(rx *goja.Object, s goja.String, use func(m *goja.Object)) {
	rethrow(rx.Set("lastIndex", 0))
	for {
		v := g.timed(func() goja.Value {
			return g.regex().exec(goja.FunctionCall{This: rx, Arguments: []goja.Value{s}})
		})
		m, ok := v.(*goja.Object)
		if !ok {
			return
		}
		g.must(g.Spend(8) && g.Alloc(regexBytes))
		if m.Get("0").ToString().String() == "" {
			rethrow(rx.Set("lastIndex", rx.Get("lastIndex").ToInteger()+1))
		}
		use(m)
	}
}

func (g *guest) split(original native, s goja.String, call goja.FunctionCall) goja.Value {
	rx, ok := isRegex(arg(call, 0))
	if !ok || g.isLinear(rx, s) {
		return g.timed(func() goja.Value { return original(call) })
	}
	limit := int64(math.MaxUint32)
	if l := arg(call, 1); !goja.IsUndefined(l) {
		limit = l.ToInteger() & math.MaxUint32
	}
	flags := strings.ReplaceAll(g.flagsOf(rx), "y", "")
	if !strings.Contains(flags, "g") {
		flags += "g"
	}
	copied, err := g.vm.New(g.regex().constructor, g.regex().source(goja.FunctionCall{This: rx}), g.vm.ToValue(flags))
	rethrow(err)
	var out []any
	from := 0
	g.eachMatch(copied, s, func(m *goja.Object) {
		start := int(m.Get("index").ToInteger())
		end := start + m.Get("0").ToString().(goja.String).Length() //nolint:errcheck,forcetypeassert // the text of a match
		if end == from || start >= s.Length() {
			return
		}
		out = append(out, s.Substring(from, start))
		for i := int64(1); i < m.Get("length").ToInteger(); i++ {
			out = append(out, m.Get(strconv.FormatInt(i, 10)))
		}
		from = end
	})
	out = append(out, s.Substring(from, s.Length()))
	return g.vm.NewArray(out[:min(int64(len(out)), limit)]...)
}

// patchRegExpConstructor looks at expressions before they are compiled.
func (g *guest) patchRegExpConstructor() {
	old, ok := goja.AssertConstructor(g.global("RegExp"))
	if !ok {
		panic("js: RegExp is no constructor")
	}
	g.regex()
	g.replaceConstructor("RegExp", func(call goja.ConstructorCall) *goja.Object {
		args := slices.Clone(call.Arguments)
		for i := range args {
			if _, ok := isRegex(args[i]); !ok && !goja.IsUndefined(args[i]) {
				args[i] = g.toString(args[i])
			}
		}
		g.asPattern(goja.FunctionCall{Arguments: args})
		g.must(g.Spend(8) && g.Alloc(regexBytes))
		o, err := old(call.NewTarget, args...)
		rethrow(err)
		return o
	})
}

// patchSymbols puts the functions in place that strings find in an expression
// under a symbol, for scripts that call them themselves.
func (g *guest) patchSymbols() {
	proto := member(g.global("RegExp"), "prototype")
	type method = func(g *guest, original native, s goja.String, call goja.FunctionCall) goja.Value
	for name, f := range map[string]method{
		"match": (*guest).match, "matchAll": (*guest).matchAll, "search": (*guest).once,
		"split": (*guest).split, "replace": (*guest).replace,
	} {
		symbol, ok := g.global("Symbol").Get(name).(*goja.Symbol)
		if !ok {
			panic("js: there is no symbol " + name)
		}
		original, ok := proto.GetSymbol(symbol).(*goja.Object)
		if !ok {
			panic("js: an expression has no function " + name)
		}
		inner, ok := original.Export().(native)
		if !ok {
			panic("js: a function cannot be called")
		}
		wrapped := func(call goja.FunctionCall) goja.Value {
			rx, ok := isRegex(call.This)
			if !ok {
				g.throw("this function belongs to regular expressions")
			}
			s := g.toString(arg(call, 0))
			g.payMatch(s.Length())
			args := []goja.Value{rx}
			if len(call.Arguments) > 1 {
				args = append(args, call.Arguments[1:]...)
			}
			// f speaks of a string that is asked about an expression; the function
			// under the symbol of an expression that is given a string.
			swapped := func(c goja.FunctionCall) goja.Value {
				return inner(goja.FunctionCall{This: rx, Arguments: append([]goja.Value{s}, c.Arguments[min(1, len(c.Arguments)):]...)})
			}
			v := f(g, swapped, s, goja.FunctionCall{This: s, Arguments: args})
			g.payPieces(v)
			return v
		}
		check(proto.DefineDataPropertySymbol(symbol, g.vm.ToValue(wrapped), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE))
	}
}
