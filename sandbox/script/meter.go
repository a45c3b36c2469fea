package script

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/metrics"
	"time"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
)

// ClockEvery is how many units of fuel pass between two looks at the clock. A
// step of a script takes tens of nanoseconds and one that meets a text of
// MaxText bytes a few hundred microseconds, so a deadline is overshot by tens of
// milliseconds at the very worst and by microseconds as a rule.
const ClockEvery = 128

// MaxText is the length of the longest string a script can make, in bytes.
// Operators that take a string as a whole are one step, so it bounds a step.
const MaxText = 1 << 20

// pauseEvery and heapEvery are how many looks at the clock pass between two pauses, some
// ten microseconds, and between two looks at the heap.
const (
	pauseEvery = 8
	heapEvery  = 64
)

// Stop says why a call ended before its function returned.
type Stop struct {
	Fault   sandbox.FaultKind // "" when the script asked for it
	Err     error             // with Fault
	Result  abi.Result        // without Fault
	Message string            // without Fault
}

// Meter counts what one call uses. The zero Meter has nothing to spend.
type Meter struct {
	budget, fuel     int64 // fuel may be negative once spent
	memLimit, memory int64
	clockAt          int64 // look at the clock when fuel falls below; huge once stopped
	ticks            int
	heapCeiling      uint64

	began    time.Time
	deadline time.Time
	ctx      context.Context //nolint:containedctx // of the call, like the meter
	done     <-chan struct{} // of ctx
	stop     *Stop
}

// NewMeter starts the clock of a call. heapCeiling is the size of the process's
// heap above which calls are stopped; 0 means none.
func NewMeter(ctx context.Context, lim sandbox.Limits, heapCeiling uint64) *Meter {
	m := &Meter{
		budget: lim.Fuel, fuel: lim.Fuel, memLimit: lim.Memory,
		clockAt: max(lim.Fuel-ClockEvery, 0), heapCeiling: heapCeiling,
		began: time.Now(), ctx: ctx, done: ctx.Done(),
	}
	m.deadline = m.began.Add(lim.Deadline)
	return m
}

// Spend takes n units of fuel and reports whether the call may go on.
func (m *Meter) Spend(n int64) bool {
	m.fuel -= n
	return m.fuel >= m.clockAt || m.look()
}

// Step is Spend(1), small enough to be inlined into an interpreter's loop.
func (m *Meter) Step() bool {
	m.fuel--
	return m.fuel >= m.clockAt || m.look()
}

// Alloc charges n bytes and reports whether the call may go on. It is called
// before the bytes are taken wherever their number is known before.
func (m *Meter) Alloc(n int64) bool {
	m.memory += n
	if m.memory > m.memLimit || n < 0 {
		m.Fail(sandbox.FaultMemory, fmt.Errorf("asked for more than %d bytes in total", m.memLimit))
	}
	return m.stop == nil
}

// look is the slow half of Spend: fuel, clock and heap.
func (m *Meter) look() bool {
	if m.stop != nil {
		return false
	}
	if m.fuel < 0 {
		m.Fail(sandbox.FaultFuel, fmt.Errorf("used up %d units of fuel", m.budget))
		return false
	}
	m.clockAt = max(m.fuel-ClockEvery, 0)
	return m.Tick()
}

// Tick looks at the clock now and reports whether the call may go on.
func (m *Meter) Tick() bool {
	if m.stop != nil {
		return false
	}
	if late := time.Since(m.deadline); late >= 0 {
		m.Fail(sandbox.FaultDeadline, fmt.Errorf("still running after %v", m.deadline.Sub(m.began)))
		return false
	}
	select {
	case <-m.done:
		m.Fail(sandbox.FaultDeadline, errors.New("its caller gave up"))
		return false
	default:
	}
	m.ticks++
	if m.ticks%pauseEvery == 0 {
		sandbox.Pause()
	}
	if m.heapCeiling > 0 && m.ticks%heapEvery == 0 && heapBytes() > m.heapCeiling {
		m.Fail(sandbox.FaultMemory, fmt.Errorf("the heap of the process is above %d bytes", m.heapCeiling))
	}
	return m.stop == nil
}

// heapBytes is the size of live and not yet swept objects in the process.
func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// Fail stops the call with a fault. The first reason to stop is the one kept.
func (m *Meter) Fail(kind sandbox.FaultKind, err error) {
	m.halt(&Stop{Fault: kind, Err: err})
}

// halt keeps the first reason to stop, and turns every later Spend to look.
func (m *Meter) halt(s *Stop) {
	if m.stop == nil {
		m.stop = s
		m.clockAt = math.MaxInt64
	}
}

// End stops the call because the script asked for it.
func (m *Meter) End(result abi.Result, message string) {
	m.halt(&Stop{Result: result, Message: message})
}

// Stopped says why the call has to stop; nil while it may go on.
func (m *Meter) Stopped() *Stop { return m.stop }

// Deadline is the moment at which the call is cut off.
func (m *Meter) Deadline() time.Time { return m.deadline }

// Context ends when the call has to: for what a service waits for.
func (m *Meter) Context() (context.Context, context.CancelFunc) {
	return context.WithDeadline(m.ctx, m.deadline)
}

// Fuel is what was used so far, never more than the budget.
func (m *Meter) Fuel() int64 { return m.budget - max(m.fuel, 0) }

// Usage is what the call used so far.
func (m *Meter) Usage(s *sandbox.Session) sandbox.Usage {
	return sandbox.Usage{
		Fuel:       m.Fuel(),
		Wall:       time.Since(m.began),
		PeakMemory: min(m.memory, m.memLimit),
		HostCalls:  s.HostCalls(),
	}
}
