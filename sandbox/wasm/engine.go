package wasm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"

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
	if o.StartupFuel == 0 {
		o.StartupFuel = 100_000_000
	}
	if o.StartupDeadline == 0 {
		o.StartupDeadline = 2 * time.Second
	}
	if o.Log == nil {
		o.Log = func(string, sandbox.LogLevel, string) {}
	}
}

// Engine compiles WebAssembly modules. It is safe for concurrent use.
type Engine struct {
	options   Options
	admission admission
	runtime   wazero.Runtime
	cache     wazero.CompilationCache // nil when nothing is kept
	closed    atomic.Bool
}

var _ sandbox.Engine = (*Engine)(nil)

// New returns an engine. Close releases it.
func New(o Options) (*Engine, error) {
	o.fill()
	ctx := context.Background()
	config := wazero.NewRuntimeConfig().WithDebugInfoEnabled(false)
	cache, err := openCache(o.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("cache of compiled modules: %w", err)
	}
	if cache != nil {
		config = config.WithCompilationCache(cache)
	}
	e := &Engine{options: o, runtime: wazero.NewRuntimeWithConfig(ctx, config), cache: cache}
	modules := map[string][]hostFunc{
		v1.Module:  append(coreFuncs(), services()...),
		moduleWASI: wasiFuncs(),
	}
	e.admission = newAdmission(modules)
	modules[fuel.ImportModule] = meterFuncs()
	for name, funcs := range modules {
		if err := e.export(ctx, name, funcs); err != nil {
			return nil, errors.Join(fmt.Errorf("offer %s: %w", name, err), e.Close(ctx))
		}
	}
	return e, nil
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
// seconds. The compiler cannot be interrupted: ctx is looked at before it
// starts. The Bounds keep it from running away.
func (e *Engine) Compile(ctx context.Context, src sandbox.Source) (sandbox.Module, error) {
	info, err := fuel.Scan(src.Bytes, e.options.Bounds)
	if err != nil {
		return nil, refusal(src.Name, err)
	}
	needs, err := e.admission.check(src.Name, info)
	if err != nil {
		return nil, err
	}
	pass, err := fuel.Instrument(src.Bytes, fuel.Config{Bounds: e.options.Bounds, Profile: e.options.Profile != nil})
	if err != nil {
		return nil, refusal(src.Name, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("compile %s: %w", src.Name, context.Cause(ctx))
	}
	code, err := e.compile(ctx, pass.Wasm)
	if err != nil {
		return nil, &sandbox.Refusal{Module: src.Name, Reason: "the compiler refuses the module: " + err.Error()}
	}
	m := newModule(e, code, pass, sandbox.Info{
		Name:   src.Name,
		Engine: e.Name(),
		Digest: sandbox.Digest(src.Bytes),
		ABI:    v1.Module,
		Size:   len(src.Bytes),
		Needs:  needs,
	})
	e.options.Profile.add(m, pass.Names)
	return m, nil
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
