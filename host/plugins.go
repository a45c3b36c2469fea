package host

import (
	"fmt"
	"time"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/host/dispatch"
	"github.com/rhost/rhost/host/egress"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/tenants"
)

// httpDeadline is the deadline of a call that may make requests, where its
// operator set none.
const httpDeadline = time.Second

// recordLimit is how many bytes of host calls are kept with the result of a
// plugin whose calls are recorded.
const recordLimit = 256 << 10

// pluginSetup is a loaded plugin as its author and its operator set it up.
type pluginSetup struct {
	slot  *sandbox.Slot
	info  sandbox.Info
	conf  PluginConfig
	grant abi.Grant
}

// setup finds a loaded plugin. What it may use is what it asks for and its
// operator grants. Where the operator names nothing, that is all but what reaches
// outside: the tenant is trusted.
func (h *Host) setup(name string) (pluginSetup, bool) {
	slot, ok := h.plugins.Slot(name)
	if !ok {
		return pluginSetup{}, false
	}
	s := pluginSetup{slot: slot, conf: h.config.Plugins[name]}
	s.info, _ = slot.Info()
	s.grant = s.conf.grant(s.info.Needs)
	return s, true
}

// grant is what a plugin that asks for needs may use.
func (p PluginConfig) grant(needs []abi.Capability) abi.Grant {
	if p.Grant == nil {
		return abi.Freely(needs)
	}
	var named abi.Grant
	for _, g := range p.Grant {
		named = append(named, abi.Capability(g))
	}
	return named.Of(needs)
}

// limits are those of a call.
func (s pluginSetup) limits() sandbox.Limits {
	lim := s.conf.Limits.limits()
	if lim.Deadline == 0 && s.grant.Has(abi.CapHTTP) {
		lim.Deadline = httpDeadline
	}
	return lim
}

// mayRead reports whether the plugin asks for a secret.
func (s pluginSetup) mayRead(string) bool { return true }

// hosts are the lists that all have to allow a host, beside the operator's own.
func (s pluginSetup) hosts() [][]string {
	var lists [][]string
	if s.conf.HTTP != nil && s.conf.HTTP.Hosts != nil {
		lists = append(lists, s.conf.HTTP.Hosts)
	}
	return lists
}

// pluginTable finds plugins for the dispatcher.
type pluginTable struct{ *Host }

// Plugin implements dispatch.Plugins.
func (t pluginTable) Plugin(tenant tenants.Name, name string) (dispatch.Plugin, bool) {
	s, ok := t.setup(name)
	if !ok || tenant != t.tenant {
		return dispatch.Plugin{}, false
	}
	return dispatch.Plugin{Slot: s.slot, Grant: s.grant, Limits: s.limits(), Config: s.conf.json, Export: s.conf.Export}, true
}

// validate reports what is wrong with the settings of a plugin.
func (p PluginConfig) validate(name string) []error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: plugins.%s.%s: %w", p.Pos, name, key, fmt.Errorf(format, args...)))
	}
	granted := make(map[abi.Capability]bool)
	for _, g := range p.Grant {
		granted[abi.Capability(g)] = true
		if !isCapability(g) {
			bad("grant", "%q is no capability; there are %s", g, capabilityNames())
		}
	}
	if p.Limits.limits().Negative() {
		bad("limits", "no limit may be below 0")
	}
	if err := p.Rollout.validate(); err != nil {
		bad("rollout", "%w", err)
	}
	if p.HTTP != nil && !granted[abi.CapHTTP] {
		bad("http", "the plugin is not granted http; add it to grant")
	}
	if p.HTTP != nil {
		if err := (egress.Config{Hosts: p.HTTP.Hosts}).Validate(); err != nil {
			bad("http", "%w", err)
		}
	}
	if len(p.Secrets) > 0 && !granted[abi.CapSecret] {
		bad("secrets", "the plugin is not granted secret; add it to grant")
	}
	for secret, where := range p.Secrets {
		if err := where.validate(); err != nil {
			bad("secrets."+secret, "%w", err)
		}
	}
	if p.Record != "" && p.Record != "calls" {
		bad("record", "%q is nothing to record; write calls, or leave it out", p.Record)
	}
	return errs
}
