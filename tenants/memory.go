package tenants

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Need is what one version of a plugin may hold in memory at most. All sizes are
// in bytes.
type Need struct {
	Instances int   // that there may be at once, of all versions of the plugin together
	Memory    int64 // of one instance
	Stack     int64 // of one instance, beside its memory
	Image     int64 // what instances begin with, held once
	Code      int64 // compiled, held once
}

func (n Need) each() int64   { return int64(n.Instances) * (n.Memory + n.Stack) }
func (n Need) shared() int64 { return n.Image + n.Code }

// Total is the need of a version that is the only one of its plugin.
func (n Need) Total() int64 { return n.each() + n.shared() }

// String is the need as a sum: "8 × (16 MiB + 6.1 MiB) + 1.2 MiB + 3 MiB = 181 MiB".
func (n Need) String() string {
	one := Size(n.Memory)
	if n.Stack > 0 {
		one = "(" + one + " + " + Size(n.Stack) + ")"
	}
	var text strings.Builder
	text.WriteString(strconv.Itoa(n.Instances) + " × " + one)
	for _, part := range []int64{n.Image, n.Code} {
		if part > 0 {
			text.WriteString(" + " + Size(part))
		}
	}
	return text.String() + " = " + Size(n.Total())
}

// Memory is the guest memory of a host that is reserved for the versions of
// plugins. It belongs to one goroutine, or to whoever guards it.
//
// Versions of one plugin share their instances, which is why two of them, while
// one takes the place of the other, need hardly more than one: the larger
// instances count, and the image and code of both.
type Memory struct {
	limit   int64 // of all tenants together; 0: none
	each    int64 // of every tenant; 0: none
	used    map[Name]int64
	total   int64
	plugins map[pluginKey]plugin
	latest  Hold
}

// Hold is the reservation of one version.
type Hold uint64

type pluginKey struct {
	tenant Name
	plugin string
}

// plugin is the needs of the versions of one plugin that are there.
type plugin map[Hold]Need

func (p plugin) total() int64 {
	var most, shared int64
	for _, n := range p {
		most = max(most, n.each())
		shared += n.shared()
	}
	return most + shared
}

// NewMemory returns an account of which nothing is reserved. total is the limit of
// all tenants together, each that of every tenant by itself; 0 sets none.
func NewMemory(total, each int64) *Memory {
	return &Memory{limit: total, each: each, used: make(map[Name]int64), plugins: make(map[pluginKey]plugin)}
}

// Reserve reserves what a version needs beside what is reserved for the others of
// its plugin, all or nothing. The error is a *Shortage.
func (m *Memory) Reserve(t Name, name string, n Need) (Hold, error) {
	key := pluginKey{t, name}
	p := m.plugins[key]
	before := p.total()
	with := maps.Clone(p)
	if with == nil {
		with = make(plugin)
	}
	m.latest++
	with[m.latest] = n
	more := with.total() - before
	for _, l := range []struct {
		what        string
		limit, used int64
	}{{LimitHost, m.limit, m.total}, {LimitTenant, m.each, m.used[t]}} {
		if l.limit > 0 && more > max(l.limit-l.used, 0) {
			return 0, &Shortage{Tenant: t, Plugin: name, Need: n, More: more, Limit: l.what, Quota: l.limit, Left: max(l.limit-l.used, 0)}
		}
	}
	m.plugins[key] = with
	m.add(t, more)
	return m.latest, nil
}

// Release gives a reservation back. One that is not there is let be.
func (m *Memory) Release(t Name, name string, h Hold) {
	key := pluginKey{t, name}
	p := m.plugins[key]
	if _, ok := p[h]; !ok {
		return
	}
	before := p.total()
	delete(p, h)
	if len(p) == 0 {
		delete(m.plugins, key)
	}
	m.add(t, p.total()-before)
}

func (m *Memory) add(t Name, n int64) {
	m.total += n
	if m.used[t] += n; m.used[t] == 0 {
		delete(m.used, t)
	}
}

// Reserved is what is reserved for a plugin, in bytes.
func (m *Memory) Reserved(t Name, name string) int64 { return m.plugins[pluginKey{t, name}].total() }

// Needs are those of the versions of a plugin, in the order in which they came.
func (m *Memory) Needs(t Name, name string) []Need {
	p := m.plugins[pluginKey{t, name}]
	var list []Need
	for _, h := range slices.Sorted(maps.Keys(p)) {
		list = append(list, p[h])
	}
	return list
}

// Of is what is reserved for a tenant, in bytes.
func (m *Memory) Of(t Name) int64 { return m.used[t] }

// Total is what is reserved for all tenants, in bytes.
func (m *Memory) Total() int64 { return m.total }

// Limit is what may be reserved for all tenants together; 0 when there is no limit.
func (m *Memory) Limit() int64 { return m.limit }

// The limits that a Shortage may name, as an operator types them.
const (
	LimitHost   = "guest_memory"
	LimitTenant = "guest_memory_per_tenant"
)

// Shortage says that there is no room for a version.
type Shortage struct {
	Tenant Name
	Plugin string
	Need   Need
	More   int64  // of the need, beside what the plugin's other versions have
	Limit  string // LimitHost or LimitTenant
	Quota  int64  // its value
	Left   int64  // of it
}

func (s *Shortage) Error() string {
	text := fmt.Sprintf("plugin %s needs %s", s.Plugin, s.Need)
	if s.More < s.Need.Total() {
		text += fmt.Sprintf(", %s of them beside the version that is there", Size(s.More))
	}
	return text + fmt.Sprintf("; %s of %s are left", Size(s.Left), Size(s.Quota))
}

// Size is a number of bytes for people, to three digits: 512 bytes, 1.25 MiB.
func Size(n int64) string {
	const step = 1024
	if n < step {
		return strconv.FormatInt(n, 10) + " bytes"
	}
	value, unit := float64(n), ""
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if value /= step; value < step || u == "TiB" {
			unit = u
			break
		}
	}
	digits := 2
	for limit := 10.0; value >= limit && digits > 0; limit *= 10 {
		digits--
	}
	text := strconv.FormatFloat(value, 'f', digits, 64)
	if digits > 0 {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text + " " + unit
}
