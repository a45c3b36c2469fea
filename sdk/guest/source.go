//go:build !wasip1

package guest

import "embed"

// Source is this package's own source and the test harness's, for `rhost plugin
// new`, which writes them beside a new plugin so that it builds and tests with
// nothing published. Guests do not carry it.
//
//go:embed *.go guesttest/*.go batch/*.go
var Source embed.FS
