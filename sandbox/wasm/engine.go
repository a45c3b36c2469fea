package wasm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/rhost/rhost/abi/manifest"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

const moduleWASI = "wasi_snapshot_preview1"

// Options configure an Engine. The zero value is useful.
type Options struct {
	// Cache keeps compiled modules, so that a restart does not compile them again, and
	// outlives the engine. Nil: see CacheDir.
	Cache *Cache
	// CacheDir is the folder of a cache that the engine has for itself, where Cache is
	// nil. "" keeps nothing.
	CacheDir string
	// Compiler is a command that calls CompileChild with the folder that is added to
	// its arguments. With it, and with a cache, modules are compiled in a process
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
	// TailCalls and ExtendedConst admit modules that use these proposals of the
	// language.
	TailCalls     bool
	ExtendedConst bool
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

// Engine compiles WebAssembly modules and holds what they need to run, in a runtime of
// its own: a host has one for each tenant. It is safe for concurrent use.
type Engine struct {
	options   Options
	admission admission
	foreign   map[string]admission // by ABI, of guests that were written for another host
	runtime   wazero.Runtime
	cache     *Cache // of its own, nil when that is another's or nothing is kept
	turns     *turns // those of the cache, where there is one
	compiler  compiler
	closed    atomic.Bool
}

var _ sandbox.Engine = (*Engine)(nil)

// New returns an engine. Close releases it.
func New(o Options) (*Engine, error) {
	o.fill()
	ctx := context.Background()
	e := &Engine{options: o, compiler: compiler{command: o.Compiler, limit: o.CompileTime}}
	cache := o.Cache
	if cache == nil && o.CacheDir != "" {
		var err error
		if cache, err = OpenCache(o.CacheDir); err != nil {
			return nil, err
		}
		e.cache = cache
	}
	e.turns = newTurns()
	if cache != nil {
		e.compiler.cache, e.turns = cache.dir, cache.turns
	}
	e.runtime = wazero.NewRuntimeWithConfig(ctx, runtimeConfig(cache))
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

// proposals are those that a module uses and that not every host admits.
func proposals(info *fuel.Info) (list []string) {
	if info.Uses.Has(fuel.UsesTailCalls) {
		list = append(list, sandbox.TailCalls)
	}
	if info.Uses.Has(fuel.UsesExtendedConst) {
		list = append(list, sandbox.ExtendedConst)
	}
	return list
}

// runtimeConfig is the same wherever modules are compiled, or the cache would not
// hold what is looked for. What the runtime knows is not what is admitted: that the
// fuel pass decides.
func runtimeConfig(cache *Cache) wazero.RuntimeConfig {
	const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst
	config := wazero.NewRuntimeConfig().WithDebugInfoEnabled(false).WithCoreFeatures(features)
	if cache != nil {
		config = config.WithCompilationCache(cache.kept)
	}
	return config
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
	pass, err := fuel.Instrument(src.Bytes, e.config(src))
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
func (e *Engine) config(src sandbox.Source) fuel.Config {
	return fuel.Config{
		Bounds: e.options.Bounds, Profile: e.options.Profile != nil,
		TailCalls: e.options.TailCalls, ExtendedConst: e.options.ExtendedConst, CanonicalNaN: src.CanonicalNaN,
		SparePage: true, // for shrink
	}
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
		pass, err = fuel.Instrument(linked, e.config(src))
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
	guest.info.Name, guest.info.Engine, guest.info.Runtime = src.Name, e.Name(), src.RuntimeOf(runtimeOf())
	guest.info.Digest, guest.info.Size = sandbox.Digest(src.Bytes), len(src.Bytes)
	guest.info.Needs = asked(guest.info.Needs, about)
	guest.info.Functions, guest.info.Manifest = wants, about
	guest.info.Proposals = proposals(pass.Info)
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
	turn := e.turns.of(wasm)
	turn.Lock()
	defer turn.Unlock()
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
	if err != nil {
		err = fmt.Errorf("close the wasm engine: %w", err)
	}
	if e.cache != nil {
		err = errors.Join(err, e.cache.Close(ctx))
	}
	return err
}
