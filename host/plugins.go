package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/abi/manifest"
	"github.com/rhost/rhost/host/dispatch"
	"github.com/rhost/rhost/host/egress"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/tenants"
	"github.com/rhost/rhost/yamldoc"
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
	info, _ := slot.Info()
	s := h.setupOf(name, info)
	s.slot = slot
	return s, true
}

// setupOf is the setup of a version that may not be loaded yet.
func (h *Host) setupOf(name string, info sandbox.Info) pluginSetup {
	conf := h.config.Plugins[name]
	return pluginSetup{info: info, conf: conf, grant: conf.grant(info.Needs)}
}

// CodeSettings is the code of settings that a plugin does not take.
const CodeSettings = "plugin-config"

// tryPlugin keeps a version out whose settings do not fit it, whose start-up faults,
// or that does not get through the sample call of its manifest. What it asks for and is not
// granted is told to whoever starts the host.
func (h *Host) tryPlugin(ctx context.Context, name string, m sandbox.Module) error {
	s := h.setupOf(name, m.Info())
	if err := s.checkExport(name); err != nil {
		return err
	}
	about := s.info.Manifest
	if about == nil {
		return sandbox.Start(ctx, m, s.limits())
	}
	if about.Config != nil {
		if err := s.checkSettings(name, about.Config); err != nil {
			return err
		}
	}
	for _, c := range s.info.Needs {
		if !s.grant.Has(c) && !s.canDoWithout(c) {
			h.report(Notice{Kind: "warning", Text: fmt.Sprintf("plugin %s asks for %s, which it is not granted; if it may have it, list %s in plugins.%s.grant", name, c, c, name)})
		}
	}
	if about.Sample == nil {
		return sandbox.Start(ctx, m, s.limits())
	}
	call, sv := sampleCall(name, about.Sample, s.conf.json)
	_, err := sandbox.SelfTest(ctx, m, call, sandbox.NewSession(sv, s.grant, s.limits()))
	return err
}

// checkExport reports a function that the plugin does not have.
func (s pluginSetup) checkExport(name string) error {
	export := s.conf.Export
	if export == "" || slices.Contains(s.info.Exports, export) {
		return nil
	}
	fix := "leave it out: it is for Extism plugins"
	if s.info.Exports != nil {
		fix = "the functions that can be called are " + strings.Join(s.info.Exports, ", ")
	}
	return yamldoc.Errorf(s.conf.Pos, "plugins."+name+".export", CodeSettings, fix, "the plugin has no function %q to call", export)
}

// checkSettings reports the settings that the plugin does not take.
func (s pluginSetup) checkSettings(name string, schema *manifest.Schema) error {
	err := schema.Check(s.conf.json)
	var wrong manifest.Problems
	if !errors.As(err, &wrong) {
		return err
	}
	pos := s.conf.Pos
	if pos.File == "" {
		pos.File = "rhost.yaml"
	}
	var list yamldoc.Errors
	for _, p := range wrong {
		key := strings.TrimSuffix("plugins."+name+".config."+p.Key(), ".")
		list = append(list, yamldoc.Errorf(pos, key, CodeSettings, "`rhost plugin inspect "+name+"` shows what it takes", "%s", p.Msg))
	}
	return list.Err()
}

// canDoWithout reports whether the plugin says that it does without a capability
// where it has to.
func (s pluginSetup) canDoWithout(c abi.Capability) bool {
	return slices.ContainsFunc(s.info.Manifest.Optional, func(f string) bool { return sandbox.CapabilityOf(f) == c })
}

// sampleCall is the call of a self-test. Nothing of the tenant's is seen in it, and
// what reaches outside is not there just now.
func sampleCall(name string, s *manifest.Sample, settings json.RawMessage) (*abi.Call, sandbox.Services) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	call := &abi.Call{
		With: s.With, Config: s.Config, Attempt: 1, Key: "self-test",
		Match: abi.Match{Tenant: "self-test", Rule: "self-test", Version: "0", ID: "m-self-test", At: at, Trigger: "time", Bind: map[string][]string{}},
	}
	if call.Config == nil {
		call.Config = settings
	}
	if s.Event != nil {
		call.Event = *s.Event
		if call.Event.ID == "" {
			call.Event.ID = "sample"
		}
		if call.Event.Source == "" {
			call.Event.Source = "/plugins/" + name
		}
		call.Match.Trigger, call.Match.Bind = call.Event.ID, map[string][]string{"event": {call.Event.ID}}
		if !call.Event.Time.IsZero() {
			call.Match.At = call.Event.Time
		}
	}
	return call, sandbox.Services{
		Now: func() time.Time { return call.Match.At },
		HTTP: func(context.Context, *abi.HTTPRequest) (abi.HTTPResponse, abi.Status) {
			return abi.HTTPResponse{}, abi.StatusUnavailable
		},
		Secret: func(string) ([]byte, abi.Status) { return nil, abi.StatusUnavailable },
	}
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

// limits are those of a call: the operator's, lowered by what the plugin wants.
func (s pluginSetup) limits() sandbox.Limits {
	lim := s.conf.Limits.limits()
	if lim.Deadline == 0 && s.grant.Has(abi.CapHTTP) {
		lim.Deadline = httpDeadline
	}
	if m := s.info.Manifest; m != nil {
		return lim.Lowered(m.Limits)
	}
	return lim
}

// mayRead reports whether the plugin asks for a secret.
func (s pluginSetup) mayRead(name string) bool {
	m := s.info.Manifest
	return m == nil || m.Secrets == nil || slices.Contains(m.Secrets, name)
}

// hosts are the lists that all have to allow a host, beside the operator's own.
func (s pluginSetup) hosts() [][]string {
	var lists [][]string
	if m := s.info.Manifest; m != nil && m.Hosts != nil {
		lists = append(lists, m.Hosts)
	}
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
	if p.Instances < 0 || p.Instances > maxInstances {
		bad("instances", "write a number from 1 to %d, or leave it out", maxInstances)
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
