package abi

import "slices"

// Capability is a service that a guest may use when it imports it, its manifest
// asks for it and the operator grants it.
type Capability string

// The capabilities of this release.
const (
	CapEmit   Capability = "emit"
	CapState  Capability = "state"
	CapConfig Capability = "config"
	CapNow    Capability = "now"
	CapRandom Capability = "random"
	CapNotify Capability = "notify"
	CapKV     Capability = "kv"
	CapHTTP   Capability = "http"
	CapSecret Capability = "secret"
)

// Capabilities lists all of them, in the order they are documented.
func Capabilities() []Capability {
	return []Capability{CapEmit, CapState, CapConfig, CapNow, CapRandom, CapNotify, CapKV, CapHTTP, CapSecret}
}

// Explicit reports whether the capability reaches outside the host, and so is
// granted by an operator's word alone. The others are granted to a trusted
// tenant's plugins when they ask.
func (c Capability) Explicit() bool { return c == CapHTTP || c == CapSecret }

// Grant is a set of capabilities. Logging needs none.
type Grant []Capability

// Has reports whether c is in the grant.
func (g Grant) Has(c Capability) bool { return slices.Contains(g, c) }

// Of returns those capabilities of the grant that are among asked.
func (g Grant) Of(asked []Capability) Grant {
	var both Grant
	for _, c := range g {
		if slices.Contains(asked, c) {
			both = append(both, c)
		}
	}
	return both
}

// Freely returns what is granted of asked where an operator said nothing:
// everything but the explicit capabilities.
func Freely(asked []Capability) Grant {
	return slices.DeleteFunc(slices.Clone(Grant(asked)), Capability.Explicit)
}
