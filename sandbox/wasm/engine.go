package wasm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/rhost/rhost/abi/manifest"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

const moduleWASI = "wasi_snapshot_preview1"

// Options configure an Engine. The zero value is useful.
type Options struct {
	// CacheDir keeps compiled modules, so that a restart does not compile them
	// again. It holds executable code: it is made for its owner alone, and
	// refused when others may write to it. "" keeps nothing.
	CacheDir string
	// Compiler is a command that calls CompileChild with the folder that is added to
	// its arguments. With it, and with CacheDir, modules are compiled in a process
	// that is killed when it takes too long or too much. Without, they are compiled
	// here, and a hostile one may keep a core busy for minutes.
	Compiler []string
	// CompileTime is how long that may take. The default is 2 min, of which one of
	// processor time.
	CompileTime time.Duration
	// Seed makes the random bytes that WASI gives a guest unpredictable. A host
	// that wants them to be the same after a restart keeps it, secretly. When it
	// is empty, a seed is drawn that lasts as long as the engine.
	Seed []byte
	// Bounds are the sizes up to which modules are admitted.
	Bounds fuel.Bounds
	// StartupFuel and StartupDeadline limit the start-up code of an instance. A
	// Go program's takes about a million fuel. The defaults are 100,000,000 and
	// 2 s.
	StartupFuel     int64
	StartupDeadline time.Duration
	// ABIs are the versions of the guest ABI that are offered, oldest first. Nil is
	// version 1 in full.
	ABIs []ABI
	// HostFunctions are offered to Extism plugins.
	HostFunctions []HostFunction
	// Profile receives where guests use their fuel. The code is slower then. Nil
	// makes ordinary code.
	Profile *Profile
	// Log receives what start-up code logs. It must be safe for concurrent use.
	// Nil drops it.
	Log func(module string, level sandbox.LogLevel, line string)
}

func (o *Options) fill() {
	if len(o.Seed) == 0 {
		o.Seed = make([]byte, 32)
		rand.Read(o.Seed) // never fails: crypto/rand ends the program instead
	}
	if o.CompileTime == 0 {
		o.CompileTime = childTime
	}
	if o.StartupFuel == 0 {
		o.StartupFuel = 100_000_000
	}
	if o.StartupDeadline == 0 {
		o.StartupDeadline = 2 * time.Second
	}
	if o.ABIs == nil {
		o.ABIs = []ABI{V1()}
	}
	if o.Log == nil {
		o.Log = func(string, sandbox.LogLevel, string) {}
	}
}

// Engine compiles WebAssembly modules. It is safe for concurrent use.
type Engine struct {
	options   Options
	admission admission
	foreign   map[string]admission // by ABI, of guests that were written for another host
	runtime   wazero.Runtime
	cache     wazero.CompilationCache // nil when nothing is kept
	compiler  compiler
	closed    atomic.Bool
}

var _ sandbox.Engine = (*Engine)(nil)

// New returns an engine. Close releases it.
func New(o Options) (*Engine, error) {
	o.fill()
	ctx := context.Background()
	cache, err := openCache(o.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("cache of compiled modules: %w", err)
	}
	e := &Engine{
		options: o, runtime: wazero.NewRuntimeWithConfig(ctx, runtimeConfig(cache)), cache: cache,
		compiler: compiler{command: o.Compiler, cache: o.CacheDir, limit: o.CompileTime},
	}
	modules := map[string][]hostFunc{
		moduleWASI: wasiFuncs(),
		moduleStub: stubFuncs(),
	}
	for _, offered := range o.ABIs {
		modules[offered.Module] = offered.funcs
	}
	e.admission = newAdmission(modules, o.ABIs...)
	maps.Copy(modules, foreignModules())
	if err := addHostFunctions(modules, o.HostFunctions); err != nil {
		return nil, errors.Join(err, e.Close(ctx))
	}
	e.foreign = foreignAdmissions(modules)
	modules[fuel.ImportModule] = meterFuncs()
	for name, funcs := range modules {
		if err := e.export(ctx, name, funcs); err != nil {
			return nil, errors.Join(fmt.Errorf("offer %s: %w", name, err), e.Close(ctx))
		}
	}
	return e, nil
}

// runtimeConfig is the same wherever modules are compiled, or the cache would not
// hold what is looked for.
func runtimeConfig(cache wazero.CompilationCache) wazero.RuntimeConfig {
	config := wazero.NewRuntimeConfig().WithDebugInfoEnabled(false)
	if cache != nil {
		config = config.WithCompilationCache(cache)
	}
	return config
}

// openCache opens the cache of compiled modules; dir may be "".
func openCache(dir string) (wazero.CompilationCache, error) {
	if dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o022 != 0 && runtime.GOOS != "windows" {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: fmt.Errorf("others may write to it (%v), and it holds code that is run; chmod 700 it", info.Mode().Perm())}
	}
	return wazero.NewCompilationCacheWithDir(dir)
}

// export offers functions to guests under the name of a module.
func (e *Engine) export(ctx context.Context, module string, funcs []hostFunc) error {
	b := e.runtime.NewHostModuleBuilder(module)
	for _, f := range funcs {
		b = b.NewFunctionBuilder().WithGoModuleFunction(f.call, f.params, f.results).WithName(f.name).Export(f.name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

// Name is "wasm".
func (e *Engine) Name() string { return "wasm" }

// Compile admits a module and compiles it, which takes from a millisecond to
// seconds. With Options.Compiler it ends when ctx does; without, the compiler cannot
// be interrupted: ctx is looked at before it starts, and only the Bounds keep it from
// running away.
func (e *Engine) Compile(ctx context.Context, src sandbox.Source) (sandbox.Module, error) {
	pass, err := fuel.Instrument(src.Bytes, e.config())
	if err != nil {
		return nil, e.refuse(src, err)
	}
	guest, pass, err := e.link(src, pass)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("compile %s: %w", src.Name, context.Cause(ctx))
	}
	var data []segment
	if pass.Info.Uses&fuel.UsesSegments == 0 {
		pass.Wasm, data = takeData(pass.Wasm)
	}
	code, err := e.code(ctx, src.Name, pass.Wasm)
	if err != nil {
		return nil, err
	}
	m := newModule(e, code, pass, data, guest)
	e.options.Profile.add(m, pass.Names)
	return m, nil
}

// config says how modules are rewritten.
func (e *Engine) config() fuel.Config {
	return fuel.Config{Bounds: e.options.Bounds, Profile: e.options.Profile != nil, SparePage: true} // for shrink
}

// link admits and describes a module that was rewritten. Where it can do without
// imports that are not there, they are stubbed and it is rewritten once more.
func (e *Engine) link(src sandbox.Source, pass *fuel.Result) (admitted, *fuel.Result, error) {
	about, err := describe(src.Name, src.Bytes, pass.Info)
	if err != nil {
		return admitted{}, nil, err
	}
	if imports(pass.Info, moduleStub) {
		return admitted{}, nil, &sandbox.Refusal{Module: src.Name, Reason: "imports from " + moduleStub + ", which is the host's own", Fix: "list what the module can do without under optional in its manifest"}
	}
	wants := functions(pass.Info)
	linked, changed, err := e.admission.relink(src.Bytes, pass.Info, about)
	if err == nil && changed {
		pass, err = fuel.Instrument(linked, e.config())
	}
	if err != nil {
		return admitted{}, nil, refusal(src.Name, err)
	}
	guest, err := e.admit(src.Name, pass.Info)
	if err != nil {
		return admitted{}, nil, err
	}
	if guest.foreign != nil && about != nil && (about.Batch || about.Encoding != manifest.Frame) {
		return admitted{}, nil, &sandbox.Refusal{Module: src.Name, Reason: "manifest: batch and encoding are of guests that speak " + v1.Module, Fix: "leave them out"}
	}
	guest.info.Name, guest.info.Engine = src.Name, e.Name()
	guest.info.Digest, guest.info.Size = sandbox.Digest(src.Bytes), len(src.Bytes)
	guest.info.Needs = asked(guest.info.Needs, about)
	guest.info.Functions, guest.info.Manifest = wants, about
	return guest, pass, nil
}

// refuse says why a module is not admitted. One that was built for something else is
// told so, rather than which of its instructions is refused.
func (e *Engine) refuse(src sandbox.Source, err error) error {
	if info, scanErr := fuel.Scan(src.Bytes, e.options.Bounds); scanErr == nil {
		if _, foreign := e.admit(src.Name, info); foreign != nil {
			return foreign
		}
	}
	return refusal(src.Name, err)
}

// code compiles what the fuel pass has made, first in a process that can be killed,
// if there is one.
func (e *Engine) code(ctx context.Context, name string, wasm []byte) (wazero.CompiledModule, error) {
	if err := e.compiler.prepare(ctx, wasm); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("compile %s: %w", name, context.Cause(ctx))
		}
		return nil, tooDear(name, err)
	}
	code, err := e.compile(ctx, wasm)
	if err != nil {
		return nil, &sandbox.Refusal{Module: name, Reason: "the compiler refuses the module: " + err.Error()}
	}
	return code, nil
}

// compile runs wazero's compiler. A panic in it must not end the host: it would
// be a guest's doing.
func (e *Engine) compile(ctx context.Context, wasm []byte) (code wazero.CompiledModule, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it failed: %v", r)
		}
	}()
	return e.runtime.CompileModule(experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0)), wasm)
}

// refusal turns an error of package fuel into one of package sandbox.
func refusal(module string, err error) error {
	var e *fuel.Error
	if !errors.As(err, &e) {
		return &sandbox.Refusal{Module: module, Reason: err.Error()}
	}
	return &sandbox.Refusal{Module: module, Where: e.Where(), Reason: e.What, Fix: e.Fix}
}

// Close releases the engine. Its modules are closed first. It may be called
// twice.
func (e *Engine) Close(ctx context.Context) error {
	e.closed.Store(true)
	err := e.runtime.Close(ctx)
	if e.cache != nil {
		err = errors.Join(err, e.cache.Close(ctx))
	}
	if err != nil {
		return fmt.Errorf("close the wasm engine: %w", err)
	}
	return nil
}
