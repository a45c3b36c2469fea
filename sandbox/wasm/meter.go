package wasm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// Why a call was stopped. They are in the chain of a Fault's error.
var (
	ErrFuel     = errors.New("out of fuel")
	ErrDeadline = errors.New("out of time")
	ErrStack    = errors.New("out of stack")
	ErrMemory   = errors.New("out of memory")
)

// A guest gets fuel in slices. Between two of them the host looks at the clock, and
// lets others have the processor.
const (
	// mostSlice is the fuel of a slice: some 20 µs of plain work.
	mostSlice = 100_000
	// leastSlice is what a slice shrinks to: to refuel costs less than a tenth of that.
	leastSlice = 2_000
	// longSlice is the time after which the next slice gets less. Fuel counts
	// instructions, and one that writes to a page for the first time takes the kernel a
	// thousand times as long as another.
	longSlice = 50 * time.Microsecond
)

// meter hands fuel to one call. The guest counts down the global by itself and
// calls refuel when it has fallen below zero.
type meter struct {
	global   api.MutableGlobal
	slice    int64 // fuel of the next slice, which one call leaves to the next
	budget   int64
	granted  int64
	began    time.Time
	refueled time.Time // when the slice began
	deadline time.Time

	// Of a profile build: the functions that run, as nodes of the Profile, and
	// what was used when the last of them was entered or left.
	profile  *Profile // nil until the first is entered
	chain    []int32
	profiled int64
}

// begin starts a call with a budget and a time.
func (m *meter) begin(budget int64, limit time.Duration) {
	m.budget = budget
	m.granted = min(m.slice, budget)
	m.set(m.granted)
	m.chain, m.profiled = m.chain[:0], 0
	m.began = time.Now()
	m.refueled = m.began
	m.deadline = m.began.Add(limit)
}

// pace sets the slice by how long the last one took.
func (m *meter) pace(took time.Duration) {
	switch {
	case took > longSlice:
		m.slice = max(leastSlice, int64(float64(m.slice)*float64(longSlice)/float64(took)))
	case took < longSlice/2:
		m.slice = min(2*m.slice, mostSlice)
	}
}

func (m *meter) left() int64     { return int64(m.global.Get()) }
func (m *meter) set(fuel int64)  { m.global.Set(uint64(fuel)) }
func (m *meter) consumed() int64 { return m.granted - m.left() }

// used is what the call is said to have used: a charge that was refused was for
// work that was not done.
func (m *meter) used() int64 {
	if m.profile != nil {
		m.profile.settle(m)
	}
	return m.spent()
}

func (m *meter) spent() int64 { return min(m.consumed(), m.budget) }

// charge takes n from the guest's fuel on behalf of a host function.
func (m *meter) charge(ctx context.Context, n int64) {
	left := m.left() - n
	m.set(left)
	if left < 0 {
		m.refuel(ctx)
	}
}

// refuel is called when fuel has fallen below zero. It grants the next slice or
// ends the call with a panic, which wazero turns into the error of the call.
// The budget decides before the clock does, so that a call with too little fuel
// ends the same way on a slow machine.
func (m *meter) refuel(ctx context.Context) {
	left := m.left()
	if m.granted-left > m.budget {
		panic(stop(sandbox.FaultFuel, fmt.Errorf("%w: the call may use %d", ErrFuel, m.budget)))
	}
	now := time.Now()
	if !now.Before(m.deadline) {
		panic(stop(sandbox.FaultDeadline, fmt.Errorf("%w: still running after %v", ErrDeadline, m.deadline.Sub(m.began))))
	}
	if err := ctx.Err(); err != nil {
		panic(stop(sandbox.FaultDeadline, fmt.Errorf("%w: the caller gave up: %w", ErrDeadline, context.Cause(ctx))))
	}
	m.pace(now.Sub(m.refueled))
	// What is left is a debt, which the new slice covers first.
	more := min(max(m.slice, -left), m.budget-m.granted)
	m.granted += more
	m.set(left + more)
	m.refueled = now
	if sandbox.Pause() {
		m.refueled = time.Now() // others had the time between
	}
}

// halt ends a call from inside a host function.
type halt struct {
	kind sandbox.FaultKind
	err  error
}

func (h *halt) Error() string { return h.err.Error() }
func (h *halt) Unwrap() error { return h.err }

func stop(kind sandbox.FaultKind, err error) *halt { return &halt{kind: kind, err: err} }

// meterFuncs are the functions that the rewritten code calls. Guests cannot
// import them: they are not among what admission offers.
func meterFuncs() []hostFunc {
	return []hostFunc{
		{fuel.RefuelName, nil, nil, func(ctx context.Context, _ api.Module, _ []uint64) {
			r := runOf(ctx)
			r.meter.refuel(r.Context) //nolint:contextcheck // the run holds the context of the call
		}},
		{fuel.OverflowName, nil, nil, func(context.Context, api.Module, []uint64) {
			panic(stop(sandbox.FaultStack, ErrStack))
		}},
		{fuel.EnterName, []api.ValueType{i32}, nil, func(ctx context.Context, _ api.Module, stack []uint64) {
			r := runOf(ctx)
			r.module.engine.options.Profile.enter(&r.meter, r.module, api.DecodeU32(stack[0]))
		}},
		{fuel.LeaveName, nil, nil, func(ctx context.Context, _ api.Module, _ []uint64) {
			r := runOf(ctx)
			r.meter.profile.leave(&r.meter)
		}},
	}
}
