//go:build !wasip1

package guest

import v1 "github.com/rhost/rhost/abi/v1"

// Host stands in for the real host where the plugin runs as an ordinary
// program: in tests. Package guesttest has one; few need to write another. It
// exists on every platform but wasip1.
type Host interface {
	// Serve answers a request of the service with that name, in the bytes of
	// package v1. It must not keep request.
	Serve(service string, request []byte) (answer []byte, st v1.Status)
	Output(text []byte)
	Fail(result int32, msg string)
	Log(level Level, msg string)
}

// Invoke runs h on an input frame, with to as its host, and returns the result.
// It is what the exported function of a built plugin does. A nil h stands for
// the handler that was given to Handle.
func Invoke(to Host, h Handler, frame []byte) int32 {
	if h == nil {
		h = handler
	}
	return run(host{to: to, kept: new([]byte)}, h, frame)
}

// InvokeBatch is Invoke for the input of rhost_batch; item is told which invocation
// comes next.
func InvokeBatch(to Host, h Handler, input []byte, item func(i int32)) int32 {
	if h == nil {
		h = handler
	}
	return runBatch(host{to: to, kept: new([]byte)}, h, input, item)
}

// host passes calls to a Host and keeps answers that did not fit, as the real
// one does.
type host struct {
	to   Host
	kept *[]byte
}

func (h host) serve(name string, in, out []byte) (v1.Status, int) {
	*h.kept = nil
	answer, st := h.to.Serve(name, in)
	if st != v1.StatusOK {
		return st, 0
	}
	if len(answer) > len(out) {
		*h.kept = answer
		return v1.StatusTooSmall, len(answer)
	}
	return st, copy(out, answer)
}

func (h host) take(dst []byte) int {
	n := len(*h.kept)
	if n <= len(dst) {
		copy(dst, *h.kept)
		*h.kept = nil
	}
	return n
}

func (h host) output(b []byte)                          { h.to.Output(b) }
func (h host) fail(code int32, msg string)              { h.to.Fail(code, msg) }
func (h host) log(level Level, msg string)              { h.to.Log(level, msg) }
func (h host) emit(in, out []byte) (v1.Status, int)     { return h.serve(v1.FuncEmit, in, out) }
func (h host) notify(in, out []byte) (v1.Status, int)   { return h.serve(v1.FuncNotify, in, out) }
func (h host) stateGet(in, out []byte) (v1.Status, int) { return h.serve(v1.FuncStateGet, in, out) }
func (h host) stateSet(in, out []byte) (v1.Status, int) { return h.serve(v1.FuncStateSet, in, out) }
func (h host) stateCAS(in, out []byte) (v1.Status, int) { return h.serve(v1.FuncStateCAS, in, out) }
func (h host) config(in, out []byte) (v1.Status, int)   { return h.serve(v1.FuncConfig, in, out) }
func (h host) now(in, out []byte) (v1.Status, int)      { return h.serve(v1.FuncNow, in, out) }
func (h host) random(in, out []byte) (v1.Status, int)   { return h.serve(v1.FuncRandom, in, out) }
func (h host) kvGet(in, out []byte) (v1.Status, int)    { return h.serve(v1.FuncKVGet, in, out) }
func (h host) kvSet(in, out []byte) (v1.Status, int)    { return h.serve(v1.FuncKVSet, in, out) }
func (h host) http(in, out []byte) (v1.Status, int)     { return h.serve(v1.FuncHTTP, in, out) }
func (h host) secret(in, out []byte) (v1.Status, int)   { return h.serve(v1.FuncSecret, in, out) }
func (h host) has(in, out []byte) (v1.Status, int)      { return h.serve(v1.FuncHas, in, out) }
