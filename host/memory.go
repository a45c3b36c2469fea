package host

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/tenants"
	"github.com/rhost/rhost/yamldoc"
)

// CodeMemory is the code of a plugin for which there is no room.
const CodeMemory = "guest-memory"

// GuestLimits bound what all guests have together.
type GuestLimits struct {
	Pos yamldoc.Pos `yaml:",pos"`
	// GuestMemory is what may be reserved for guests; absent: half of what the machine
	// has.
	GuestMemory yamldoc.Bytes `yaml:"guest_memory"`
	PerTenant   yamldoc.Bytes `yaml:"guest_memory_per_tenant"` // absent: no limit of its own
	// UnloadAfter is how long a plugin is not called before it is unloaded; 10m.
	UnloadAfter time.Duration `yaml:"unload_after"`
}

// Defaults of GuestLimits and of what plugins may have.
const (
	unloadAfter   = 10 * time.Minute
	unknownMemory = 2 << 30 // guest memory where nobody says how much the machine has
	// httpInstances is how many instances a plugin has that may make requests: more
	// than cores, for they wait for others.
	httpInstances = 8
	maxInstances  = 10_000
)

func (l GuestLimits) validate() error {
	if l.UnloadAfter < 0 {
		return fmt.Errorf("%s: limits.unload_after: must not be below 0", l.Pos)
	}
	return nil
}

// limit is what may be reserved for guests.
func (l GuestLimits) limit() int64 {
	if l.GuestMemory > 0 {
		return int64(l.GuestMemory)
	}
	if machine := machineMemory(); machine > 0 {
		return machine / 2
	}
	return unknownMemory
}

// instances is how many instances a plugin may have at once: as many as calls run,
// unless its operator says so.
func (p PluginConfig) instances() int {
	switch {
	case p.Instances > 0:
		return p.Instances
	case p.grant([]abi.Capability{abi.CapHTTP}).Has(abi.CapHTTP):
		return max(httpInstances, runtime.GOMAXPROCS(0))
	}
	return runtime.GOMAXPROCS(0)
}

// guestMemory is what is reserved for the guests of a host. It is safe for concurrent
// use.
type guestMemory struct {
	tenant tenants.Name

	mu   sync.Mutex
	sums *tenants.Memory // guarded by mu
}

func newGuestMemory(t tenants.Name, total, each int64) *guestMemory {
	return &guestMemory{tenant: t, sums: tenants.NewMemory(total, each)}
}

// reserve reserves what a version may hold. release may be called twice.
func (g *guestMemory) reserve(name string, need tenants.Need) (release func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	hold, err := g.sums.Reserve(g.tenant, name, need)
	if err != nil {
		return nil, err
	}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.sums.Release(g.tenant, name, hold)
	}, nil
}

// reserved is what is reserved for a plugin, in bytes.
func (g *guestMemory) reserved(name string) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.sums.Reserved(g.tenant, name)
}

// GuestMemory is what is reserved for guests, in bytes.
type GuestMemory struct {
	Reserved int64 `json:"reserved"`
	Limit    int64 `json:"limit"` // 0: none
}

// Size is a number of bytes for people: 1.25 MiB.
func Size(n int64) string { return tenants.Size(n) }

func (g *guestMemory) summary() GuestMemory {
	g.mu.Lock()
	defer g.mu.Unlock()
	return GuestMemory{g.sums.Total(), g.sums.Limit()}
}

// reserve reserves what a version of a plugin may hold, by its limits and by how many
// instances the plugin may have. The error names the sum, and what to change.
func (h *Host) reserve(name string, m sandbox.Module) (release func(), err error) {
	s := h.setupOf(name, m.Info())
	f := sandbox.FootprintOf(m, s.limits())
	n := s.conf.instances()
	if s.conf.Rollout.Shadow {
		n++ // which runs beside the calls
	}
	release, err = h.memory.reserve(name, tenants.Need{Instances: n, Memory: f.Memory, Stack: f.Stack, Image: f.Image, Code: f.Code})
	var short *tenants.Shortage
	if !errors.As(err, &short) {
		return release, err
	}
	pos := h.config.Limits.Pos
	if pos.File == "" {
		pos.File = "rhost.yaml"
	}
	at := "plugins." + name
	fix := fmt.Sprintf("lower %s.limits.memory or %s.instances, or raise limits.%s", at, at, short.Limit)
	if f.Stack > 0 {
		fix = fmt.Sprintf("lower %s.limits.memory, %s.limits.stack or %s.instances, or raise limits.%s", at, at, at, short.Limit)
	}
	return nil, &shortage{yamldoc.Errorf(pos, "limits."+short.Limit, CodeMemory, fix, "%s", short.Error()), short}
}

// shortage is a Shortage with the place to look at.
type shortage struct {
	at  *yamldoc.Error
	why *tenants.Shortage
}

func (s *shortage) Error() string   { return s.at.Error() }
func (s *shortage) Unwrap() []error { return []error{s.at, s.why} }

// cool unloads plugins that nobody calls, until ctx ends.
func (h *Host) cool(ctx context.Context) error {
	unused := h.config.Limits.UnloadAfter
	if unused == 0 {
		unused = unloadAfter
	}
	const looks = 4 // so that it happens within a quarter of the time
	tick := time.NewTicker(max(unused/looks, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		names, err := h.plugins.Cool(ctx, unused)
		if err != nil {
			h.report(Notice{Kind: "warning", Text: "plugins that are not called could not be unloaded", Err: err})
		}
		for _, name := range names {
			h.logger.Info("a plugin is unloaded until it is called again", "plugin", name, "unused", unused)
		}
	}
}
