// Package oci keeps plugins in registries of container images, and in folders of
// the same layout, by oras-go.
//
// A plugin is an OCI manifest with one layer, its bytes:
//
//	           config                                          layer
//	module     application/vnd.wasm.config.v0+json             application/wasm
//	script     application/vnd.rhost.plugin.config.v1+json     application/vnd.rhost.plugin.lua.v1, ….js.v1
//
// A script with a manifest has a second layer,
// application/vnd.rhost.plugin.manifest.v1+yaml. A signature is a manifest of its
// own that refers to the plugin's (a referrer), with artifact type
// application/vnd.rhost.plugin.signature.v1: a plugin may be signed later, and by
// several. The same plugin has the same digest wherever it is pushed.
//
// ParseRef reads what a user types, Open reaches the place, and Push and Pull work on
// it. What is pulled is checked against its digests and bounded in size; whether its
// signatures are to be trusted is for the caller to ask.
//
// A Store may be used by several goroutines.
package oci
