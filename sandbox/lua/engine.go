package lua

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"

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

// Engine compiles and runs Lua scripts. It is safe for concurrent use.
type Engine struct {
	offsets offsets
	lib     *library
	ceiling uint64
}

//nolint:gochecknoglobals // gopher-lua is configured by variables of the process
var configure = sync.OnceFunc(func() {
	// A table whose array part would be longer keeps such keys in its hash part:
	// t[67108863] = 1 would fill a gigabyte with nil.
	glua.MaxArrayIndex = maxArray
	// The table arg of Lua 5.0 would be made for every call, unpaid.
	glua.CompatVarArg = false
})

const maxArray = 1 << 20

// New makes an engine. It fails when the interpreter that is linked in is not
// the one this package was written for.
func New(o Options) (*Engine, error) {
	configure()
	off, err := checkLayout()
	if err != nil {
		return nil, err
	}
	e := &Engine{offsets: off, lib: newLibrary()}
	switch {
	case o.HeapCeiling == 0:
		e.ceiling = defaultHeapCeiling
	case o.HeapCeiling > 0:
		e.ceiling = uint64(o.HeapCeiling)
	}
	return e, nil
}

// Name is "lua".
func (e *Engine) Name() string { return "lua" }

// Close has nothing to release.
func (e *Engine) Close(context.Context) error { return nil }

// Compile admits a script and compiles it once, for all its calls.
func (e *Engine) Compile(_ context.Context, src sandbox.Source) (sandbox.Module, error) {
	file := chunkName(src)
	refuse := func(where, reason, fix string) (sandbox.Module, error) {
		return nil, &sandbox.Refusal{Module: src.Name, Where: where, Reason: reason, Fix: fix}
	}
	if line, reason, fix := admit(src.Bytes); reason != "" {
		return refuse(place(file, line), reason, fix)
	}
	chunk, err := parseChunk(src.Bytes, file)
	if err != nil {
		return refuse(syntaxPlace(file, err), syntaxReason(err), "")
	}
	if !definesInvoke(chunk) {
		return refuse(file, "it defines no global function invoke", "add: function invoke(call) … end")
	}
	proto, err := compileChunk(chunk, file)
	if err != nil {
		return refuse(file, err.Error(), "")
	}
	about, needs, err := script.Manifest(src, "--")
	if err != nil {
		return nil, err
	}
	return &module{engine: e, proto: proto, omit: unused(proto), info: sandbox.Info{
		Name: src.Name, Engine: e.Name(), Digest: sandbox.Digest(src.Bytes), ABI: "rhost.v1",
		Size: len(src.Bytes), Needs: needs, Manifest: about, Runtime: runtimeOf(),
	}}, nil
}

// chunkName is how positions name the script.
func chunkName(src sandbox.Source) string {
	if src.File != "" {
		return filepath.Base(src.File)
	}
	return src.Name + ".lua"
}

func place(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// parseChunk parses admitted source. The parser reports by panicking, and loses
// panics that are no errors.
func parseChunk(src []byte, file string) (chunk []ast.Stmt, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the parser failed: %v", v)
		}
	}()
	return parse.Parse(strings.NewReader(string(src)), file)
}

func compileChunk(chunk []ast.Stmt, file string) (proto *glua.FunctionProto, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the compiler failed: %v", v)
		}
	}()
	return glua.Compile(chunk, file)
}

func syntaxPlace(file string, err error) string {
	var perr *parse.Error
	if errors.As(err, &perr) && perr.Pos.Line > 0 {
		return place(file, perr.Pos.Line)
	}
	return file
}

func syntaxReason(err error) string {
	var perr *parse.Error
	if !errors.As(err, &perr) {
		return strings.TrimSpace(err.Error())
	}
	if perr.Pos.Line <= 0 {
		return perr.Message + " at the end of the script"
	}
	return fmt.Sprintf("%s near '%s'", perr.Message, perr.Token)
}

// definesInvoke looks for invoke among the global functions and variables that
// the script assigns at its outermost level.
func definesInvoke(chunk []ast.Stmt) bool {
	for _, stmt := range chunk {
		switch s := stmt.(type) {
		case *ast.FuncDefStmt:
			if isInvoke(s.Name.Func) {
				return true
			}
		case *ast.AssignStmt:
			if slices.ContainsFunc(s.Lhs, isInvoke) {
				return true
			}
		}
	}
	return false
}

func isInvoke(e ast.Expr) bool {
	id, ok := e.(*ast.IdentExpr)
	return ok && id.Value == "invoke"
}

// module is a compiled script.
type module struct {
	engine *Engine
	proto  *glua.FunctionProto // shared by all calls; never written to
	omit   map[string]bool     // library tables that it cannot reach
	info   sandbox.Info
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
	return fmt.Sprintf("gopher-lua %s, cost model %d", sandbox.VersionOf("github.com/yuin/gopher-lua"), costModel)
}
