package sandbox

import (
	"context"
	"time"
)

// Plan says how a new version comes into force. The zero value takes all calls at
// once, and watches.
type Plan struct {
	Spares int // idle instances to keep
	// Instances is how many there may be at once, of all versions of the slot
	// together, and one more where Shadow is set; 0 sets no bound. A call for which
	// there is none waits.
	Instances int
	// Wake loads the version again after it was unloaded. Nil: it is never unloaded.
	Wake func(context.Context) (Module, error)
	// Closed is told once, when the version has been closed for good. It must not call
	// the slot. May be nil.
	Closed func()
	Shadow bool    // first, run calls on both and keep what the old one answers
	Canary float64 // then, send this share of the calls to the new one; 0: none
	Back   RollbackIf
	Drain  time.Duration // how long a version that leaves may take; 5 s
	// Done is told how the rollout ended, once, from a goroutine of the slot's or
	// from whoever ended it. It must not call the slot. May be nil.
	Done func(Verdict)
}

// RollbackIf says what makes a new version give way to the old one. Zero fields
// take their defaults; negative ones never apply.
type RollbackIf struct {
	Faults   float64       // this share of calls faults, beyond the old one's share; 0.01
	P99      float64       // the 99th percentile of wall time is so many times the old one's; 2
	Fuel     float64       // the mean of fuel is so many times the old one's; 1.5
	MinCalls int           // calls before times and fuel are compared; 200
	For      time.Duration // how long each phase lasts; 1 min
}

func (b RollbackIf) withDefaults() RollbackIf {
	fill(&b.Faults, 0.01)
	fill(&b.P99, 2)
	fill(&b.Fuel, 1.5)
	fill(&b.MinCalls, 200)
	fill(&b.For, time.Minute)
	return b
}

// Phase is how far a rollout has come.
type Phase string

// The phases, in order; those that the plan does not ask for are left out.
const (
	PhaseShadow Phase = "shadow" // the old version answers, the new one runs beside it
	PhaseCanary Phase = "canary" // the new version answers a share of the calls
	PhaseFull   Phase = "full"   // the new version answers all calls, the old one stands by
)

// Verdict is how a rollout ended.
type Verdict struct {
	Promoted bool
	Canceled bool   // not promoted, and not for anything the version did
	Reason   string // why not, or "" when promoted
	Phase    Phase  // in which it ended
	Old, New Stats
	Shadow   ShadowStats
	Err      error // of closing the version that left
}

// Progress is a rollout under way.
type Progress struct {
	Phase    Phase       `json:"phase"`
	Until    time.Time   `json:"until"` // when the phase ends unless it goes wrong
	Canary   float64     `json:"canary,omitempty"`
	Old      Stats       `json:"old"`
	New      Stats       `json:"new"`
	Shadowed ShadowStats `json:"shadow"`
}

// instances is the bound that the plan sets for its slot.
func (p *Plan) instances() int {
	if p.Shadow && p.Instances > 0 {
		return p.Instances + 1 // what runs beside the calls takes nothing from them
	}
	return p.Instances
}

func (p *Plan) done(v Verdict) {
	if p.Done != nil {
		p.Done(v)
	}
}
