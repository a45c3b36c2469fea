package guest

import (
	"runtime"
	"unsafe"

	v1 "github.com/rhost/rhost/abi/v1"
)

// host reaches the functions that the real host provides. It is empty: there is
// one host around a guest.
type host struct{}

//go:wasmexport rhost_abi_v1
func marker() {}

// headroom is the free heap that a call begins with. The host keeps an instance
// for the next call only if its memory did not grow: it can be put back, and not
// shrunk. Making a new one takes some twenty times as long as a call.
const headroom = 512 << 10

var reserved []byte

// initialise runs once, before the first call: it lets the heap grow to its
// headroom and gives that free.
//
//go:wasmexport rhost_init
func initialise(int32) int32 {
	reserved = make([]byte, headroom)
	reserved = nil
	runtime.GC()
	return 0
}

//go:wasmexport rhost_invoke
func invoke(n int32) int32 {
	frame := make([]byte, n)
	input(unsafe.Pointer(unsafe.SliceData(frame)), n)
	return run(host{}, handler, frame)
}

// RunBatch runs the handler on the input of rhost_batch, of n bytes; item is the
// host's function of that name. It is package batch's.
func RunBatch(n int32, item func(i int32)) int32 {
	b := make([]byte, n)
	input(unsafe.Pointer(unsafe.SliceData(b)), n)
	return runBatch(host{}, handler, b, item)
}

//go:wasmimport rhost.v1 input
//go:noescape
func input(dst unsafe.Pointer, n int32) int32

//go:wasmimport rhost.v1 output
//go:noescape
func output(p unsafe.Pointer, n int32)

//go:wasmimport rhost.v1 fail
//go:noescape
func fail(code int32, p unsafe.Pointer, n int32)

//go:wasmimport rhost.v1 log
//go:noescape
func log(level int32, p unsafe.Pointer, n int32)

//go:wasmimport rhost.v1 take
//go:noescape
func take(dst unsafe.Pointer, n int32) int32

//go:wasmimport rhost.v1 emit
//go:noescape
func emit(in unsafe.Pointer, n int32, out unsafe.Pointer, room int32) uint64

//go:wasmimport rhost.v1 notify
//go:noescape
func notify(in unsafe.Pointer, n int32, out unsafe.Pointer, room int32) uint64

//go:wasmimport rhost.v1 state_get
//go:noescape
func stateGet(in unsafe.Pointer, n int32, out unsafe.Pointer, room int32) uint64

//go:wasmimport rhost.v1 state_set
//go:noescape
func stateSet(in unsafe.Pointer, n int32, out unsafe.Pointer, room int32) uint64

//go:wasmimport rhost.v1 state_cas
//go:noescape
func stateCAS(in unsafe.Pointer, n int32, out unsafe.Pointer, room int32) uint64

//go:wasmimport rhost.v1 config
//go:noescape
func config(in unsafe.Pointer, n int32, out unsafe.Pointer, room int32) uint64

//go:wasmimport rhost.v1 now
//go:noescape
func now(in unsafe.Pointer, n int32, out unsafe.Pointer, room int32) uint64

//go:wasmimport rhost.v1 random
//go:noescape
func random(in unsafe.Pointer, n int32, out unsafe.Pointer, room int32) uint64

//go:wasmimport rhost.v1 kv_get
//go:noescape
func kvGet(in unsafe.Pointer, n int32, out unsafe.Pointer, room int32) uint64

//go:wasmimport rhost.v1 kv_set
//go:noescape
func kvSet(in unsafe.Pointer, n int32, out unsafe.Pointer, room int32) uint64

//go:wasmimport rhost.v1 http
//go:noescape
func http(in unsafe.Pointer, n int32, out unsafe.Pointer, room int32) uint64

//go:wasmimport rhost.v1 secret
//go:noescape
func secret(in unsafe.Pointer, n int32, out unsafe.Pointer, room int32) uint64

//go:wasmimport rhost.v1 has
//go:noescape
func has(in unsafe.Pointer, n int32, out unsafe.Pointer, room int32) uint64

func (host) output(b []byte) { output(ptr(b), size(b)) }

func (host) fail(code int32, msg string) {
	fail(code, unsafe.Pointer(unsafe.StringData(msg)), int32(len(msg)))
}

func (host) log(level Level, msg string) {
	log(int32(level), unsafe.Pointer(unsafe.StringData(msg)), int32(len(msg)))
}

func (host) take(dst []byte) int { return int(take(ptr(dst), size(dst))) }

func (host) emit(in, out []byte) (v1.Status, int) {
	return v1.Unpack(emit(ptr(in), size(in), ptr(out), size(out)))
}

func (host) notify(in, out []byte) (v1.Status, int) {
	return v1.Unpack(notify(ptr(in), size(in), ptr(out), size(out)))
}

func (host) stateGet(in, out []byte) (v1.Status, int) {
	return v1.Unpack(stateGet(ptr(in), size(in), ptr(out), size(out)))
}

func (host) stateSet(in, out []byte) (v1.Status, int) {
	return v1.Unpack(stateSet(ptr(in), size(in), ptr(out), size(out)))
}

func (host) stateCAS(in, out []byte) (v1.Status, int) {
	return v1.Unpack(stateCAS(ptr(in), size(in), ptr(out), size(out)))
}

func (host) config(in, out []byte) (v1.Status, int) {
	return v1.Unpack(config(ptr(in), size(in), ptr(out), size(out)))
}

func (host) now(in, out []byte) (v1.Status, int) {
	return v1.Unpack(now(ptr(in), size(in), ptr(out), size(out)))
}

func (host) random(in, out []byte) (v1.Status, int) {
	return v1.Unpack(random(ptr(in), size(in), ptr(out), size(out)))
}

func (host) kvGet(in, out []byte) (v1.Status, int) {
	return v1.Unpack(kvGet(ptr(in), size(in), ptr(out), size(out)))
}

func (host) kvSet(in, out []byte) (v1.Status, int) {
	return v1.Unpack(kvSet(ptr(in), size(in), ptr(out), size(out)))
}

func (host) http(in, out []byte) (v1.Status, int) {
	return v1.Unpack(http(ptr(in), size(in), ptr(out), size(out)))
}

func (host) secret(in, out []byte) (v1.Status, int) {
	return v1.Unpack(secret(ptr(in), size(in), ptr(out), size(out)))
}

func (host) has(in, out []byte) (v1.Status, int) {
	return v1.Unpack(has(ptr(in), size(in), ptr(out), size(out)))
}

func ptr(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

func size(b []byte) int32 { return int32(len(b)) }
