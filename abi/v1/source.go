//go:build !wasip1

package v1

import "embed"

// Source is this package's own source, for `rhost plugin new`, which writes it
// beside a new plugin so that the plugin builds with nothing published. Guests
// do not carry it.
//
//go:embed *.go
var Source embed.FS
