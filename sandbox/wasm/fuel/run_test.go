package fuel_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

var (
	errFuel  = errors.New("out of fuel")
	errStack = errors.New("out of stack")
)

// features is everything that the pass may let through.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst

// everything admits all optional features.
var everything = fuel.Config{TailCalls: true, ExtendedConst: true}

// machine is a runtime with the meter's host module.
type machine struct {
	ctx   context.Context //nolint:containedctx // the same for all calls of a test
	rt    wazero.Runtime
	meter meter
	recorder
}

// meter is the host's side of the protocol.
type meter struct {
	budget  int64
	slice   int64 // 0: everything at once
	granted int64
	refuels int
}

// machines are the two engines of wazero.
func machines(t testing.TB) map[string]*machine {
	return map[string]*machine{
		"compiler":    newMachine(t, wazero.NewRuntimeConfigCompiler()),
		"interpreter": newMachine(t, wazero.NewRuntimeConfigInterpreter()),
	}
}

func newMachine(t testing.TB, c wazero.RuntimeConfig) *machine {
	t.Helper()
	m := &machine{ctx: t.Context()}
	m.rt = wazero.NewRuntimeWithConfig(m.ctx, c.WithCoreFeatures(features).WithMemoryLimitPages(4096))
	t.Cleanup(func() { require.NoError(t, m.rt.Close(context.WithoutCancel(m.ctx))) })
	_, err := m.rt.NewHostModuleBuilder(fuel.ImportModule).
		NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(m.refuel), nil, nil).Export(fuel.RefuelName).
		NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(context.Context, api.Module, []uint64) {
		panic(errStack)
	}), nil, nil).Export(fuel.OverflowName).
		NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, mod api.Module, stack []uint64) {
		m.enter(stack[0], m.consumed(mod))
	}), []api.ValueType{api.ValueTypeI32}, nil).Export(fuel.EnterName).
		NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, mod api.Module, _ []uint64) {
		m.leave(m.consumed(mod))
	}), nil, nil).Export(fuel.LeaveName).
		Instantiate(m.ctx)
	require.NoError(t, err)
	_, err = wasi_snapshot_preview1.Instantiate(m.ctx, m.rt)
	require.NoError(t, err)
	return m
}

func (m *machine) consumed(mod api.Module) int64 {
	return m.meter.granted - int64(mod.ExportedGlobal(fuel.FuelGlobal).Get())
}

func (m *machine) refuel(_ context.Context, mod api.Module, _ []uint64) {
	g := mod.ExportedGlobal(fuel.FuelGlobal).(api.MutableGlobal)
	left := int64(g.Get())
	m.meter.refuels++
	for left < 0 {
		more := m.meter.budget - m.meter.granted
		if m.meter.slice > 0 {
			more = min(more, m.meter.slice)
		}
		if more <= 0 {
			panic(errFuel)
		}
		m.meter.granted += more
		left += more
		g.Set(uint64(left))
	}
}

// guest is an instance of an instrumented module.
type guest struct {
	*machine
	mod api.Module
	res *fuel.Result
}

// load instruments and instantiates wasm; its start function has not run.
func (m *machine) load(t testing.TB, wasm []byte, c fuel.Config) *guest {
	t.Helper()
	g := m.loadOnce(t, wasm, c, "")
	t.Cleanup(func() { require.NoError(t, g.mod.Close(context.WithoutCancel(m.ctx))) })
	return g
}

// loadOnce is load for an instance that the caller closes.
func (m *machine) loadOnce(t require.TestingT, wasm []byte, c fuel.Config, name string) *guest {
	res, err := fuel.Instrument(wasm, c)
	require.NoError(t, err)
	mod, err := m.rt.InstantiateWithConfig(m.ctx, res.Wasm, wazero.NewModuleConfig().WithName(name).WithStartFunctions())
	require.NoError(t, err)
	return &guest{m, mod, res}
}

// plain instantiates wasm as it is.
func (m *machine) plain(t testing.TB, wasm []byte) api.Module {
	t.Helper()
	mod, err := m.rt.InstantiateWithConfig(m.ctx, wasm, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, mod.Close(context.WithoutCancel(m.ctx))) })
	return mod
}

const (
	plenty     = int64(1) << 50
	plentyDeep = fuel.MaxDepth
)

// call runs an export with a budget given in slices and returns its results and
// what it consumed.
func (g *guest) call(name string, budget, slice int64, args ...uint64) ([]uint64, int64, error) {
	g.meter = meter{budget: budget, slice: slice}
	g.global(fuel.FuelGlobal).Set(0)
	g.global(fuel.DepthGlobal).Set(plentyDeep)
	res, err := g.mod.ExportedFunction(name).Call(g.ctx, args...)
	return res, g.meter.granted - int64(g.global(fuel.FuelGlobal).Get()), err
}

func (g *guest) global(name string) api.MutableGlobal {
	return g.mod.ExportedGlobal(name).(api.MutableGlobal)
}

// uses runs an export that must succeed.
func (g *guest) uses(t testing.TB, name string, args ...uint64) ([]uint64, int64) {
	t.Helper()
	res, used, err := g.call(name, plenty, 0, args...)
	require.NoError(t, err)
	return res, used
}
