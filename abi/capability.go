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
)

// Capabilities lists all of them, in the order they are documented.
func Capabilities() []Capability {
	return []Capability{CapEmit, CapState, CapConfig, CapNow, CapRandom, CapNotify}
}

// Grant is a set of capabilities. Logging needs none.
type Grant []Capability

// Has reports whether c is in the grant.
func (g Grant) Has(c Capability) bool { return slices.Contains(g, c) }
