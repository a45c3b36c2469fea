package sandbox

import (
	"time"

	"github.com/rhost/rhost/abi/manifest"
)

// Limits bound one call. A zero field takes its default.
type Limits struct {
	Fuel        int64         // units of work
	Memory      int64         // bytes of guest memory
	Deadline    time.Duration // wall time
	Stack       int           // depth of the guest's call stack, in slots of the engine
	HostCalls   int           // service calls
	Output      int           // bytes of output
	Effects     int           // number of effects
	EffectBytes int           // bytes of effects together
}

// DefaultLimits are the limits of a call whose operator set none.
func DefaultLimits() Limits {
	return Limits{
		Fuel:        10_000_000,
		Memory:      16 << 20,
		Deadline:    100 * time.Millisecond,
		Stack:       100_000,
		HostCalls:   1_000,
		Output:      256 << 10,
		Effects:     1_000,
		EffectBytes: 1 << 20,
	}
}

// WithDefaults fills the zero fields of l.
func (l Limits) WithDefaults() Limits {
	d := DefaultLimits()
	fill(&l.Fuel, d.Fuel)
	fill(&l.Memory, d.Memory)
	fill(&l.Deadline, d.Deadline)
	fill(&l.Stack, d.Stack)
	fill(&l.HostCalls, d.HostCalls)
	fill(&l.Output, d.Output)
	fill(&l.Effects, d.Effects)
	fill(&l.EffectBytes, d.EffectBytes)
	return l
}

// Lowered returns l, filled in, with those limits lowered that a plugin wants
// lower. It raises none.
func (l Limits) Lowered(m manifest.Limits) Limits {
	l = l.WithDefaults()
	lower(&l.Fuel, m.Fuel)
	lower(&l.Memory, m.Memory)
	lower(&l.Deadline, m.Deadline)
	lower(&l.Stack, m.Stack)
	lower(&l.HostCalls, m.HostCalls)
	lower(&l.Output, m.Output)
	lower(&l.Effects, m.Effects)
	lower(&l.EffectBytes, m.EffectBytes)
	return l
}

func lower[T ~int | ~int64](field *T, value T) {
	if value > 0 {
		*field = min(*field, value)
	}
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Usage is what a call used.
type Usage struct {
	Fuel       int64         `json:"fuel"`
	Wall       time.Duration `json:"wall"`
	PeakMemory int64         `json:"peak_memory"` // bytes; cumulative bytes charged where the engine cannot see the peak
	HostCalls  int           `json:"host_calls"`
	Module     string        `json:"module,omitempty"` // digest of the version that ran; a Slot fills it in
}

// HostCallFuel is the price of a service call that moves n bytes, charged
// before the call does anything.
func HostCallFuel(n int) int64 { return 500 + int64(n)/8 }

// Negative reports whether any limit is below zero, which none may be.
func (l Limits) Negative() bool {
	return l.Fuel < 0 || l.Memory < 0 || l.Deadline < 0 || l.Stack < 0 ||
		l.HostCalls < 0 || l.Output < 0 || l.Effects < 0 || l.EffectBytes < 0
}
