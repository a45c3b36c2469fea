package host

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rhost/rhost/sandbox"
)

// RolloutConfig says how a new version of a plugin comes into force. Without it,
// the new version takes all calls at once and is watched for a minute.
type RolloutConfig struct {
	Shadow     bool           `yaml:"shadow"` // first run beside the old version, whose answers count
	Canary     percent        `yaml:"canary"` // then answer this share of the matches: 5%
	RollbackIf RollbackConfig `yaml:"rollback_if"`
}

// RollbackConfig says what makes a new version give way to the old one. Zero fields
// have their defaults; off never applies.
type RollbackConfig struct {
	Faults   percent       `yaml:"faults"` // share of calls, beyond that of the old version: 1%
	P99      factor        `yaml:"p99"`    // of the old version's: 2x
	Fuel     factor        `yaml:"fuel"`   // 1.5x
	MinCalls int           `yaml:"min_calls"`
	For      time.Duration `yaml:"for"` // how long each phase lasts: 1m
}

func (c RolloutConfig) validate() error {
	switch {
	case c.Canary < 0 || c.Canary > 0.5:
		return errors.New("canary: write a share from 0% to 50%")
	case c.RollbackIf.MinCalls < 0:
		return errors.New("rollback_if.min_calls: must not be below 0")
	case c.RollbackIf.For < 0:
		return errors.New("rollback_if.for: must not be below 0")
	}
	return nil
}

// plan says how a version of the plugin comes into force.
func (p PluginConfig) plan() sandbox.Plan {
	plan := p.Rollout.plan()
	plan.Instances = p.instances()
	return plan
}

func (c RolloutConfig) plan() sandbox.Plan {
	return sandbox.Plan{Shadow: c.Shadow, Canary: float64(c.Canary), Back: sandbox.RollbackIf{
		Faults: float64(c.RollbackIf.Faults), P99: float64(c.RollbackIf.P99), Fuel: float64(c.RollbackIf.Fuel),
		MinCalls: c.RollbackIf.MinCalls, For: c.RollbackIf.For,
	}}
}

// percent is a share, written 5%; off is -1.
type percent float64

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *percent) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		*p = -1
		return nil
	}
	number, ok := strings.CutSuffix(string(text), "%")
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if !ok || err != nil || n < 0 || n > 100 {
		return fmt.Errorf("%q is no share; write one such as 5%%, or off", text)
	}
	*p = percent(n / 100)
	return nil
}

// factor is how many times something, written 1.5x; off is -1.
type factor float64

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *factor) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		*f = -1
		return nil
	}
	number, ok := strings.CutSuffix(string(text), "x")
	n, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(n >= 1 && n <= 1e6) {
		return fmt.Errorf("%q is no factor; write one of at least 1 such as 1.5x, or off", text)
	}
	*f = factor(n)
	return nil
}

// rolled reports how the rollout of a plugin's version ended.
func (h *Host) rolled(name, digest string, v sandbox.Verdict) {
	what := fmt.Sprintf("plugin %s %s", name, short(digest))
	switch {
	case v.Canceled:
	case !v.Promoted:
		h.report(Notice{Kind: "rolled back", Text: fmt.Sprintf("%s; %s is in force again", what, short(v.Old.Module)), Err: errors.New(v.Reason)})
	case v.Old.Module != "": // the first version of a plugin replaces none
		h.report(Notice{Kind: "promoted", Text: fmt.Sprintf("%s after %d calls", what, v.New.Calls)})
	}
	if v.Err != nil {
		h.report(Notice{Kind: "warning", Text: what, Err: v.Err})
	}
}
