// Package extism is the memory that a plugin written for Extism and its host
// share: what other hosts run as a WebAssembly module of its own, the kernel, is
// plain Go here.
//
// Such a plugin does not look at its input in its own memory, and hands over
// nothing that lies there. Host and plugin exchange blocks of a second memory, the
// Kernel's: the plugin asks for a block (Alloc), fills and reads it with loads and
// stores of a byte or eight, and passes its handle on: as the output (SetOutput), as
// the name of a setting, as a line of log. A handle is the address of the block's
// first byte; handle 0 is no block.
//
//	k := extism.New(memory, room)
//	err := k.Reset([]byte("the input"))    // before each call
//	b, err := k.LoadInput64(0)             // what the plugin does
//	h, err := k.Alloc(5)
//	err = k.Store8(h, 'h')
//	err = k.SetOutput(h, 5)
//	out := k.Output()                      // what the host finds afterwards
//
// # What a plugin cannot do
//
// Every address and length is checked: a load or a store outside the memory in use,
// an output that reaches outside and a handle that names no block, where one is
// needed, are errors that say so. Reading past the end of the input gives zeros,
// freeing what is no block does nothing and has the length 0, as with Extism's own
// kernel. The memory is the one that New was given and does not grow, and before any of
// it is taken New's function is asked, what the host keeps for a block counted in. A
// block costs the host constant time, finding one the logarithm of their number.
//
// Nothing of one call is left in the next: Reset clears every byte.
//
// A Kernel belongs to the goroutine of the call.
package extism
