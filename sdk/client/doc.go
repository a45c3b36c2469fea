// Package client speaks to a running host: it submits events, reads what was
// recorded and follows what happens. It uses the HTTP API of package host/api,
// over the host's local socket or its TCP address, and depends on nothing but
// the standard library.
//
// A Client is safe for concurrent use. Records come back as the JSON the host
// sent; docs/api.md describes them.
package client
