package sandboxtest

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/sandbox"
)

// Attack is a hostile guest and how its call has to end.
type Attack struct {
	Name   string
	Source sandbox.Source
	// Refused is part of the text of the refusal, for guests that are not admitted.
	Refused string
	// Kinds are the faults that may end the call. None means that the attack
	// comes to nothing: the call ends well and gives Output.
	Kinds  []sandbox.FaultKind
	Output string // JSON; not compared when empty
	// Deadline is the deadline of the call, for attacks that only the clock
	// stops. Zero means none that matters.
	Deadline time.Duration
}

// heapBound is how much an attack may leave behind, and how far the heap may
// grow under it; both are far below what any of them tries to take.
const heapBound = 256 << 20

// RunAttacks runs every attack twice against an engine: both calls end as they
// have to, with equal fuel where the clock does not decide, in bounded memory,
// and leave no goroutine. limits are the limits of a call where an attack does
// not set its own.
func RunAttacks(t *testing.T, engine sandbox.Engine, limits sandbox.Limits, attacks []Attack) {
	t.Helper()
	s := &suite{Harness: Harness{Limits: limits}, engine: engine}
	for _, a := range attacks {
		t.Run(a.Name, func(t *testing.T) { s.attack(t, a) })
	}
}

func (s *suite) attack(t *testing.T, a Attack) {
	m, err := s.engine.Compile(t.Context(), a.Source)
	if a.Refused != "" {
		require.ErrorContains(t, err, a.Refused)
		return
	}
	require.NoError(t, err)
	goroutines := runtime.NumGoroutine()
	h := s.host()
	h.limits.Deadline = a.Deadline
	if h.limits.Deadline == 0 {
		h.limits.Deadline = time.Minute
	}
	runtime.GC() // what other attacks left is not this one's
	var fuel [2]int64
	for i := range fuel {
		inst, err := m.New(t.Context(), h.limits)
		require.NoError(t, err)
		o := invoke(t.Context(), inst, h)
		s.judge(t, a, o)
		fuel[i] = o.usage.Fuel
		require.NoError(t, inst.Close(t.Context()))
	}
	if a.Deadline == 0 {
		assert.Equal(t, fuel[0], fuel[1], "fuel of the same call")
	}
	require.NoError(t, m.Close(t.Context()))
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	assert.Less(t, mem.HeapAlloc, uint64(heapBound), "the heap under the attack")
	assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines+1, "goroutines left") // one may be a clock of a library
}

func (s *suite) judge(t *testing.T, a Attack, o outcome) {
	t.Helper()
	if len(a.Kinds) == 0 {
		require.NoError(t, o.err)
		if a.Output != "" {
			assert.JSONEq(t, a.Output, string(o.reply.Output))
		}
		return
	}
	require.Error(t, o.err, "output: %s %s", o.reply.Output, o.reply.Message)
	assert.Contains(t, a.Kinds, sandbox.KindOf(o.err), "%v", o.err)
	t.Logf("%d fuel, %d bytes, %v: %v", o.usage.Fuel, o.usage.PeakMemory, o.usage.Wall.Round(time.Microsecond), o.err)
}
