package js

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/dlclark/regexp2/v2"
	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/script"
)

// Options configure an Engine. The zero Options are usable.
type Options struct {
	// HeapCeiling is the size of the heap of the whole process above which
	// running calls are stopped with a memory fault. 0 means 2 GiB; -1 none.
	HeapCeiling int64
}

const defaultHeapCeiling = 2 << 30

// Engine compiles and runs JavaScript. It is safe for concurrent use.
type Engine struct {
	ceiling uint64
	patches map[string][]patch // never written to
}

// New makes an engine.
func New(o Options) *Engine {
	limitRegex()
	e := &Engine{patches: patchTable()}
	switch {
	case o.HeapCeiling == 0:
		e.ceiling = defaultHeapCeiling
	case o.HeapCeiling > 0:
		e.ceiling = uint64(o.HeapCeiling)
	}
	return e
}

// Name is "js".
func (e *Engine) Name() string { return "js" }

// Close stops the clock that regular expressions are timed with. It starts again
// by itself when another engine of the process needs it.
func (e *Engine) Close(context.Context) error {
	regexp2.StopTimeoutClock()
	return nil
}

// Compile admits a script and compiles it once, for all its calls.
func (e *Engine) Compile(_ context.Context, src sandbox.Source) (sandbox.Module, error) {
	file := scriptName(src)
	m, bad := e.compile(file, src.Bytes)
	if bad != nil {
		where := file
		if bad.line > 0 {
			where = fmt.Sprintf("%s:%d", file, bad.line)
		}
		return nil, &sandbox.Refusal{Module: src.Name, Where: where, Reason: bad.reason, Fix: bad.fix}
	}
	about, needs, err := script.Manifest(src, "//")
	if err != nil {
		return nil, err
	}
	m.info = sandbox.Info{
		Name: src.Name, Engine: e.Name(), Digest: sandbox.Digest(src.Bytes), ABI: "rhost.v1",
		Size: len(src.Bytes), Needs: needs, Manifest: about, Runtime: runtimeOf(),
	}
	return m, nil
}

// scriptName is how positions name the script.
func scriptName(src sandbox.Source) string {
	if src.File != "" {
		return filepath.Base(src.File)
	}
	return src.Name + ".js"
}

// compile takes a script from text to a program. A panic of the parser or the
// compiler means that the script found a mistake in them; it is refused.
func (e *Engine) compile(file string, text []byte) (m *module, bad *problem) {
	defer func() {
		if v := recover(); v != nil {
			m, bad = nil, &problem{reason: fmt.Sprintf("the compiler failed: %v", v)}
		}
	}()
	src, bad := admit(text)
	if bad != nil {
		return nil, bad
	}
	prg, err := parser.ParseFile(nil, file, src.text, 0, parser.WithDisableSourceMaps)
	if err != nil {
		return nil, syntaxProblem(err)
	}
	r := &rewriter{facts: collect(prg)}
	if r.bigint {
		return nil, &problem{reason: "big integers such as 1n are not supported", fix: "use numbers or texts"}
	}
	weight, bad := literals(prg)
	if bad != nil {
		return nil, bad
	}
	invoke, bad := exported(prg, src.exports)
	if bad != nil {
		return nil, bad
	}
	lines := prg.File
	r.program(prg, invoke)
	if r.problem != nil {
		return nil, &problem{line: lines.Position(int(r.pos) - 1).Line, reason: r.problem.Error()}
	}
	compiled, err := goja.CompileAST(prg, true)
	if err != nil {
		return nil, syntaxProblem(err)
	}
	return &module{
		engine: e, file: file, program: compiled, regions: r.regions,
		plan: planFor(r.facts, e.patches), weight: weight,
	}, nil
}

// literals checks the regular expressions that stand in a script, and gives the
// weight of the heaviest.
func literals(prg *ast.Program) (weight int64, bad *problem) {
	visit(prg, func(n ast.Node) {
		lit, ok := n.(*ast.RegExpLiteral)
		if !ok {
			return
		}
		weight = max(weight, weigh(lit.Pattern))
		if reason := tooHeavy(lit.Pattern); reason != "" && bad == nil {
			bad = &problem{line: prg.File.Position(int(lit.Idx) - 1).Line, reason: reason, fix: "make it simpler"}
		}
	})
	return weight, bad
}

// exported finds what a script exports as invoke, or just declares under that
// name, at its outermost level.
func exported(prg *ast.Program, exports map[string]string) (string, *problem) {
	name := "invoke"
	if local, ok := exports[name]; ok {
		name = local
	}
	if !declares(prg.Body, name) {
		return "", &problem{reason: "it defines no function " + name, fix: "add: export function invoke(call) { … }"}
	}
	return name, nil
}

func declares(body []ast.Statement, name string) bool {
	for _, s := range body {
		var list []*ast.Binding
		switch s := s.(type) {
		case *ast.FunctionDeclaration:
			if s.Function.Name.Name.String() == name {
				return true
			}
		case *ast.VariableStatement:
			list = s.List
		case *ast.LexicalDeclaration:
			list = s.List
		}
		for _, b := range list {
			if isIdent(b.Target, name) {
				return true
			}
		}
	}
	return false
}

// compilerPosition is how the compiler writes positions into its messages.
var compilerPosition = regexp.MustCompile(`^(?:SyntaxError: )?(.*?)(?: at \S*?:(\d+):\d+)?$`)

// syntaxProblem reads the position out of an error of the parser or compiler.
func syntaxProblem(err error) *problem {
	var list parser.ErrorList
	if errors.As(err, &list) && len(list) > 0 {
		return &problem{line: list[0].Position.Line, reason: list[0].Message}
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	found := compilerPosition.FindStringSubmatch(first)
	line, _ := strconv.Atoi(found[2]) // no number: no line
	return &problem{line: line, reason: found[1]}
}

// module is a compiled script.
type module struct {
	engine  *Engine
	file    string
	program *goja.Program // shared by all calls
	regions []region
	plan    plan
	weight  int64 // of the heaviest regular expression
	info    sandbox.Info
}

func (m *module) Info() sandbox.Info { return m.info }

func (m *module) New(context.Context, sandbox.Limits) (sandbox.Instance, error) {
	return &instance{module: m}, nil
}

func (m *module) Close(context.Context) error { return nil }

// costModel is the version of what scripts are charged. It is raised with every
// change of a charge: fuel of one version says nothing of fuel of another.
const costModel = 1

// runtimeOf names what counts the fuel of a script.
func runtimeOf() string {
	return fmt.Sprintf("goja %s, cost model %d", sandbox.VersionOf("github.com/dop251/goja"), costModel)
}
