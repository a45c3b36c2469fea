package wasm

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/tetratelabs/wazero/api"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
)

// service answers a request of a guest. in lies in the guest's memory and must
// not be kept. The answer is not the guest's memory.
type service func(r *run, in []byte) (answer []byte, st abi.Status)

// services are the functions of rhost.v1 that need a capability.
func services() []hostFunc {
	var list []hostFunc
	for _, s := range []struct {
		name string
		do   service
	}{
		{v1.FuncEmit, serveEmit},
		{v1.FuncStateGet, serveStateGet},
		{v1.FuncStateSet, serveStateSet},
		{v1.FuncStateCAS, serveStateCAS},
		{v1.FuncConfig, serveConfig},
		{v1.FuncNow, serveNow},
		{v1.FuncRandom, serveRandom},
		{v1.FuncNotify, serveNotify},
		{v1.FuncKVGet, serveKVGet},
		{v1.FuncKVSet, serveKVSet},
		{v1.FuncHTTP, serveHTTP},
		{v1.FuncSecret, serveSecret},
		{v1.FuncHas, serveHas},
	} {
		list = append(list, hostFunc{s.name, []api.ValueType{i32, i32, i32, i32}, []api.ValueType{i64}, serve(s.name, s.do)})
	}
	return list
}

// serve wraps a service: it checks the guest's pointers, charges, counts, and
// delivers the answer. Both ranges are checked before the service runs, so that
// a call that ends as a fault has done nothing.
func serve(name string, do service) api.GoModuleFunc {
	return func(ctx context.Context, mod api.Module, stack []uint64) {
		r := runOf(ctx)
		in := view(mod, name, "in", stack[0], stack[1])
		out := view(mod, name, "out", stack[2], stack[3])
		r.charge(len(in))
		r.kept = nil
		if r.session == nil {
			stack[0] = v1.Pack(v1.StatusUnavailable, 0)
			return
		}
		r.begin(name)
		answer, st := do(r, in)
		r.compare()
		if st != abi.StatusOK {
			stack[0] = v1.Pack(v1.Status(st), 0)
			return
		}
		stack[0] = r.deliver(answer, out)
	}
}

// deliver writes an answer to the guest, or keeps it when it does not fit.
func (r *run) deliver(answer, out []byte) uint64 {
	r.chargeBytes(len(answer))
	if len(answer) > len(out) {
		r.kept = answer
		return v1.Pack(v1.StatusTooSmall, len(answer))
	}
	copy(out, answer)
	return v1.Pack(v1.StatusOK, len(answer))
}

func serveEmit(r *run, in []byte) ([]byte, abi.Status) {
	m, err := v1.ReadMessage(v1.FuncEmit, in)
	if err != nil || !utf8.ValidString(m.Name) {
		return nil, abi.StatusInvalid
	}
	return nil, r.session.Emit(strings.Clone(m.Name), m.Data)
}

func serveNotify(r *run, in []byte) ([]byte, abi.Status) {
	m, err := v1.ReadMessage(v1.FuncNotify, in)
	if err != nil || !utf8.ValidString(m.Name) {
		return nil, abi.StatusInvalid
	}
	return nil, r.session.Notify(strings.Clone(m.Name), m.Data)
}

func serveStateGet(r *run, in []byte) ([]byte, abi.Status) {
	value, version, st := r.session.StateGet(string(in))
	if st != abi.StatusOK {
		return nil, st
	}
	return v1.AppendState(make([]byte, 0, 8+len(value)), version, value), st
}

func serveStateSet(r *run, in []byte) ([]byte, abi.Status) {
	s, err := v1.ReadStateSet(in)
	if err != nil || !utf8.ValidString(s.Key) {
		return nil, abi.StatusInvalid
	}
	return nil, r.session.StateSet(strings.Clone(s.Key), s.Value)
}

func serveStateCAS(r *run, in []byte) ([]byte, abi.Status) {
	s, err := v1.ReadStateCAS(in)
	if err != nil || !utf8.ValidString(s.Key) {
		return nil, abi.StatusInvalid
	}
	return nil, r.session.StateCAS(strings.Clone(s.Key), s.Expect, s.Value)
}

func serveConfig(r *run, in []byte) ([]byte, abi.Status) {
	return r.session.Config(r.call.Config, string(in))
}

func serveNow(r *run, _ []byte) ([]byte, abi.Status) {
	t, st := r.session.Now()
	if st != abi.StatusOK {
		return nil, st
	}
	return v1.AppendNow(nil, t.Unix(), uint32(t.Nanosecond())), st
}

func serveRandom(r *run, in []byte) ([]byte, abi.Status) {
	n, err := v1.ReadRandom(in)
	if err != nil {
		return nil, abi.StatusInvalid
	}
	if n > v1.MaxRandom {
		return nil, abi.StatusLimit
	}
	p := make([]byte, n)
	return p, r.session.Random(p)
}

func serveKVGet(r *run, in []byte) ([]byte, abi.Status) { return r.session.KVGet(string(in)) }

func serveKVSet(r *run, in []byte) ([]byte, abi.Status) {
	s, err := v1.ReadKVSet(in)
	if err != nil {
		return nil, abi.StatusInvalid
	}
	return nil, r.session.KVSet(strings.Clone(s.Key), s.TTL, s.Value)
}

// serveHTTP makes a request, which ends when the call has to.
func serveHTTP(r *run, in []byte) ([]byte, abi.Status) {
	req, st := sandbox.ReadRequest(in)
	if st != abi.StatusOK {
		return nil, st
	}
	ctx, cancel := context.WithDeadline(r.Context, r.meter.deadline)
	defer cancel()
	res, st := r.session.HTTP(ctx, req)
	if st != abi.StatusOK {
		return nil, st
	}
	return sandbox.AppendResponse(nil, &res), st
}

// serveUnsupported is what an optional import is linked to that this host does not
// know.
func serveUnsupported(*run, []byte) ([]byte, abi.Status) { return nil, abi.StatusUnsupported }

func serveSecret(r *run, in []byte) ([]byte, abi.Status) { return r.session.Secret(string(in)) }

func serveHas(r *run, in []byte) ([]byte, abi.Status) { return nil, r.session.Has(string(in)) }
