package host

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rhost/rhost/tenants"
	"github.com/rhost/rhost/yamldoc"
)

// QuotaConfig is what the tenant may bring and hold, in bytes. What is absent has no
// limit.
type QuotaConfig struct {
	Events EventQuota    `yaml:"events"`
	State  yamldoc.Bytes `yaml:"state"` // of state and kv
}

// EventQuota bounds a tenant's events.
type EventQuota struct {
	Rate  byteRate      `yaml:"rate"`  // bytes a second that come from outside: 5MB/s
	Burst yamldoc.Bytes `yaml:"burst"` // that may come at once; what comes in a second at rate
	Held  yamldoc.Bytes `yaml:"held"`  // that the log has, with large payloads of matches
}

func (c QuotaConfig) validate() error {
	if c.Events.Burst > 0 && c.Events.Rate == 0 {
		return errors.New("rhost.yaml: quotas.events.burst: it says how far events may be ahead of rate; set quotas.events.rate as well")
	}
	return nil
}

// byteRate is a number of bytes a second.
type byteRate int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *byteRate) UnmarshalText(text []byte) error {
	size, ok := strings.CutSuffix(strings.TrimSpace(string(text)), "/s")
	n, err := yamldoc.ParseBytes(strings.TrimSpace(size))
	if !ok || err != nil || n < 1 {
		return fmt.Errorf("%q is no number of bytes a second; write one such as 5MB/s", text)
	}
	*r = byteRate(n)
	return nil
}

// The quotas, as an operator types them below quotas.
const (
	quotaHeld  = "events.held"
	quotaRate  = "events.rate"
	quotaState = "state"
)

// heldRetry is when somebody who found no room may try again: retention looks once
// a minute for what may go.
const heldRetry = retainEvery

func (c QuotaConfig) fullHeld(tenant string, used, more int64) *tenants.Full {
	fix := "wait until retention removes what is old (keys retention.age and retention.bytes), or raise quotas.events.held in rhost.yaml and restart"
	if more > int64(c.Events.Held) {
		fix = "it can never fit; send less at once, or raise quotas.events.held in rhost.yaml and restart"
	}
	return &tenants.Full{
		Tenant: tenant, Quota: quotaHeld, Limit: int64(c.Events.Held), Used: used, More: more, RetryAfter: heldRetry, Fix: fix,
	}
}

func (c QuotaConfig) fullRate(tenant string, more int64, wait time.Duration) *tenants.Full {
	return &tenants.Full{
		Tenant: tenant, Quota: quotaRate, Limit: int64(c.Events.Rate), Rate: true, More: more, RetryAfter: wait,
		Fix: "send more slowly, or raise quotas.events.rate in rhost.yaml and restart",
	}
}

func (c QuotaConfig) fullState(tenant string, used, more int64) *tenants.Full {
	return &tenants.Full{
		Tenant: tenant, Quota: quotaState, Limit: int64(c.State), Used: used, More: more,
		Fix: "have rules delete keys or let kv values expire, or raise quotas.state in rhost.yaml and restart; then redrive the execution",
	}
}

// QuotaSummary is what a tenant holds and may hold, in bytes.
type QuotaSummary struct {
	Tenant string `json:"tenant"`
	// Events is what its events in the log count, with those that are decided and
	// not there yet; Payloads the payloads of matches that are kept beside.
	Events   int64 `json:"events"`
	Payloads int64 `json:"payloads"`
	Held     int64 `json:"events_held_limit,omitempty"` // of both together
	State    int64 `json:"state"`
	MaxState int64 `json:"state_limit,omitempty"`
	Rate     int64 `json:"events_rate_limit,omitempty"` // bytes a second

	// Refused counts refusals since the start, by quota. A source that waits is
	// refused once for each time it looks.
	Refused map[string]uint64 `json:"refused,omitempty"`
	// Full is the quota that refused somebody last, within the last minute.
	Full string `json:"full,omitempty"`
}
