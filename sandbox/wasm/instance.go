package wasm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// instance is one guest in memory. It belongs to one goroutine at a time.
type instance struct {
	module  *module
	mem     *memory
	guest   api.Module
	depth   api.MutableGlobal
	globals []api.MutableGlobal // those that a call may change, in the order of image.globals
	invoke  api.Function
	stack   [1]uint64 // argument and result of invoke
	image   *image    // nil when the instance cannot be put back
	elapsed uint64    // on the guest's clock, after start-up
	run     run
	ready   bool    // as start-up left it
	slots   int     // of stack that the running call may have
	frame   frame   // kept for its memory
	frames  []byte  // of a batch; kept for its memory
	kernel  *kernel // of an Extism plugin, else nil
}

// New makes an instance and runs the guest's start-up code.
func (m *module) New(ctx context.Context, lim sandbox.Limits) (sandbox.Instance, error) {
	lim = lim.WithDefaults()
	if need := uint64(m.memory.Min) * pageSize; need > uint64(lim.Memory) {
		return nil, &sandbox.Fault{
			Kind: sandbox.FaultMemory, Module: m.info.Name,
			Err: fmt.Errorf("%w: the module starts with %d bytes and may have %d", ErrMemory, need, lim.Memory),
		}
	}
	mem, err := newMemory(uint64(lim.Memory), uint64(m.memory.Max)*pageSize)
	if err != nil {
		return nil, &sandbox.Fault{Kind: sandbox.FaultMemory, Module: m.info.Name, Err: fmt.Errorf("%w: %w", ErrMemory, err)}
	}
	i := &instance{module: m, mem: mem}
	if err := i.load(ctx); err != nil {
		mem.Free()
		return nil, err
	}
	if err := i.openKernel(lim); err != nil {
		return nil, errors.Join(err, i.Close(ctx))
	}
	if err := i.startup(ctx, lim); err != nil {
		return nil, errors.Join(startup(err), i.Close(ctx))
	}
	if m.foreign != nil {
		return &foreignInstance{instance: i}, nil
	}
	return i, nil
}

// load has wazero build the instance and finds its globals and functions.
func (i *instance) load(ctx context.Context) (err error) {
	m := i.module
	if m.engine.closed.Load() {
		return fmt.Errorf("make an instance of %s: the engine is closed", m.info.Name)
	}
	if err := i.instantiate(ctx); err != nil {
		// Scanned and compiled, and yet not right: initial data outside the memory.
		return &sandbox.Fault{Kind: sandbox.FaultTrap, Module: m.info.Name, Err: fmt.Errorf("during start-up: %w", err)}
	}
	i.run.meter.slice = mostSlice
	i.run.meter.global, err = i.global(fuel.FuelGlobal)
	if err != nil {
		return err
	}
	if i.depth, err = i.global(fuel.DepthGlobal); err != nil {
		return err
	}
	if m.resets {
		for _, g := range m.reset {
			global, err := i.global(g.Name)
			if err != nil {
				return err
			}
			i.globals = append(i.globals, global)
		}
	}
	i.invoke = i.guest.ExportedFunction(v1.ExportInvoke)
	return nil
}

// instantiate makes the guest. Nothing of it runs yet: the pass took the start
// section out, and no function is called by name.
func (i *instance) instantiate(ctx context.Context) (err error) {
	defer func() {
		// wazero panics rather than return an error when memory is refused.
		if r := recover(); r != nil {
			err = fmt.Errorf("wazero: %v", r)
		}
	}()
	// The name is set, to nothing: a name of the module's own would collide with
	// its second instance.
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	i.guest, err = i.module.engine.runtime.InstantiateModule(experimental.WithMemoryAllocator(ctx, i.mem), i.module.code, config)
	return err
}

// global returns a global that the fuel pass exported.
func (i *instance) global(name string) (api.MutableGlobal, error) {
	g, ok := i.guest.ExportedGlobal(name).(api.MutableGlobal)
	if !ok {
		return nil, fmt.Errorf("the rewritten module does not export a mutable global %s", name)
	}
	return g, nil
}

// startup runs the guest's start-up code and keeps the state it leaves.
func (i *instance) startup(ctx context.Context, lim sandbox.Limits) error {
	m, r := i.module, &i.run
	if m.resets && m.adopt(i, uint64(lim.Memory)) {
		i.ready = true
		return nil
	}
	if !fill(i.mem.space[:i.mem.size], m.data) {
		return &sandbox.Fault{Kind: sandbox.FaultTrap, Module: m.info.Name, Err: errors.New("its initial data does not fit into its memory")}
	}
	o := &m.engine.options
	*r = run{Context: ctx, module: m, meter: r.meter, wasi: newWASI(0), kernel: i.kernel}
	i.begin(lim, o.StartupFuel, o.StartupDeadline)
	defer i.end()
	for _, name := range m.startNames() {
		if err := i.start(name); err != nil { //nolint:contextcheck // the run is the context
			return err
		}
	}
	i.elapsed = r.wasi.elapsed
	if m.resets {
		m.keep(i)
	}
	i.ready = true
	return nil
}

// start calls one of the functions that start-up consists of, if it is there.
func (i *instance) start(name string) error {
	var f api.Function
	if name != "" {
		f = i.guest.ExportedFunction(name)
	}
	if f == nil {
		return nil
	}
	var stack [2]uint64 // hs_init takes two arguments, which are 0
	if err := f.CallWithStack(&i.run, stack[:]); err != nil {
		i.run.wasi.stdio.end(&i.run)
		return i.module.fault(&i.run, i.mem, err)
	}
	if result := api.DecodeI32(stack[0]); name == v1.ExportInit && result != 0 {
		return &sandbox.Fault{Kind: sandbox.FaultTrap, Module: i.module.info.Name, Where: name, Err: fmt.Errorf("returned %d: %s", result, i.run.message)}
	}
	return nil
}

// begin sets the limits of an execution.
func (i *instance) begin(lim sandbox.Limits, budget int64, deadline time.Duration) bool {
	i.slots = min(lim.Stack, fuel.MaxDepth)
	i.depth.Set(uint64(i.slots))
	i.run.meter.begin(budget, deadline)
	return i.mem.begin(uint64(lim.Memory))
}

// end drops what an execution held.
func (i *instance) end() {
	i.run = run{meter: i.run.meter}
}

// Invoke runs one call.
func (i *instance) Invoke(ctx context.Context, call *abi.Call, s *sandbox.Session) (abi.Reply, sandbox.Usage, error) {
	if !i.ready {
		return abi.Reply{}, sandbox.Usage{}, fmt.Errorf("call %s: the instance is not as new and cannot run another call", i.module.info.Name)
	}
	i.ready = false
	i.run = run{
		Context: ctx, module: i.module, meter: i.run.meter, wasi: newWASI(i.elapsed),
		session: s, call: call, input: i.input(call),
	}
	defer i.end()

	err := i.execute(ctx, i.invoke, s.Limits())
	i.run.wasi.stdio.end(&i.run)
	usage := sandbox.Usage{
		Fuel:       i.run.meter.used(),
		Wall:       time.Since(i.run.meter.began),
		PeakMemory: int64(i.mem.size),
		HostCalls:  s.HostCalls(),
	}
	var reply abi.Reply
	if err == nil {
		reply, err = i.reply()
	}
	i.renew(err)
	return reply, usage, err
}

// renew puts the instance back to what start-up left, after a call that ended with
// err. A fault leaves no more behind than a call that ends well: whatever stopped the
// guest, all that it could change is its memory and the globals of the image: a module
// that can change its tables, or drop its segments, has no image. wazero resets what it
// keeps of a call by itself, also after a panic.
func (i *instance) renew(err error) {
	if i.image == nil || err != nil && !i.outlives(err) {
		return
	}
	i.ready = i.image.restore(i, err != nil)
}

// keptStack is the greatest stack, in slots, with which an instance outlives a fault.
// wazero keeps the stack that a call has grown to.
const keptStack = 100_000

// outlives reports whether the instance can be used after a call that ended with err.
// A guest's fault does not hurt it; a failure of our own may.
func (i *instance) outlives(err error) bool {
	return sandbox.KindOf(err) != "" && i.slots <= keptStack
}

// execute calls rhost_invoke or rhost_batch within the limits. The error is a
// fault.
func (i *instance) execute(ctx context.Context, f api.Function, lim sandbox.Limits) error {
	name := i.module.info.Name
	if !i.begin(lim, lim.Fuel, lim.Deadline) {
		return &sandbox.Fault{Kind: sandbox.FaultMemory, Module: name, Err: fmt.Errorf("%w: the instance has %d bytes and the call may have %d", ErrMemory, i.mem.size, lim.Memory)}
	}
	if err := ctx.Err(); err != nil {
		return &sandbox.Fault{Kind: sandbox.FaultDeadline, Module: name, Err: fmt.Errorf("%w: the caller gave up: %w", ErrDeadline, context.Cause(ctx))}
	}
	i.stack[0] = uint64(len(i.run.input))
	if err := f.CallWithStack(&i.run, i.stack[:]); err != nil { //nolint:contextcheck // the run is the context
		return i.module.fault(&i.run, i.mem, err)
	}
	return nil
}

// reply makes a reply of what the guest returned and said.
func (i *instance) reply() (abi.Reply, error) {
	r := &i.run
	result := abi.Result(api.DecodeI32(i.stack[0]))
	switch result {
	case abi.ResultOK:
		result = r.result // of fail, which counts when the guest returns 0
	case abi.ResultFail, abi.ResultRetry, abi.ResultDrop:
	default:
		return abi.Reply{}, i.noResult(v1.ExportInvoke, result)
	}
	reply := abi.Reply{Result: result, Output: r.output, Message: r.message}
	if result == abi.ResultOK {
		reply.Effects = r.session.Effects()
	}
	return reply, nil
}

func (i *instance) noResult(where string, result abi.Result) error {
	return &sandbox.Fault{
		Kind: sandbox.FaultABI, Module: i.module.info.Name, Where: where,
		Err: fmt.Errorf("returned %d, which is not a result; 0 is ok, 1 fail, 2 retry, 3 drop", int32(result)),
	}
}

// Reusable reports whether the instance is as start-up left it.
func (i *instance) Reusable() bool { return i.ready }

// Close releases the instance. It may be called twice.
func (i *instance) Close(ctx context.Context) error {
	i.ready = false
	err := i.guest.Close(ctx)
	i.mem.Free() // wazero does, unless it failed half-way
	i.kernel.free()
	if err != nil {
		return fmt.Errorf("close an instance of %s: %w", i.module.info.Name, err)
	}
	return nil
}
