package batch

import "github.com/rhost/rhost/sdk/guest"

//go:wasmimport rhost.v1 item
func item(i int32)

//go:wasmexport rhost_batch
func run(n int32) int32 { return guest.RunBatch(n, item) }
