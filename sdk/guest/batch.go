package guest

import v1 "github.com/rhost/rhost/abi/v1"

// runBatch runs a handler on each invocation of a batch, calls item before each,
// and returns what rhost_batch returns.
func runBatch(h host, handle Handler, input []byte, item func(i int32)) int32 {
	frames, err := v1.ReadBatch(input)
	if err != nil {
		return v1.ResultFail
	}
	for i, frame := range frames {
		item(int32(i))
		run(h, handle, frame)
	}
	return v1.ResultOK
}
