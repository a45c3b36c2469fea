// Package sdk carries the sources of the SDKs of languages other than Go, for
// `rhost plugin new`, which writes them beside a new plugin so that it builds and
// tests with nothing published. The Go SDK is package guest.
package sdk

import "embed"

// Sources holds the folders c, rust, assemblyscript, js and lua, each with what a
// plugin needs and none of our own tests.
//
//go:embed c/rhost.h c/rhost_test.h rust/Cargo.toml rust/src
//go:embed assemblyscript/assembly assemblyscript/testing
//go:embed js/rhost.d.ts js/testing.mjs lua/rhost.lua
var Sources embed.FS
