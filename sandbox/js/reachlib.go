package js

import (
	"math"
	"unicode/utf8"

	"github.com/dop251/goja"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox/script"
)

// The services that keep bytes or reach outside the host. Bytes are strings
// where they are UTF-8, else arrays of numbers: scripts have no arrays of bytes.

// kv is the object rhost.kv.
func (g *guest) kv() *goja.Object {
	return g.service(map[string]native{"get": g.kvGet, "set": g.kvSet, "delete": g.kvDelete}, nil)
}

// bytesValue makes a value of bytes and pays for it.
func (g *guest) bytesValue(p []byte) goja.Value {
	if utf8.Valid(p) {
		s := g.vm.ToValue(string(p))
		g.newText(int64(asString(s).Length()))
		return s
	}
	g.must(g.Spend(int64(len(p))/8) && g.Alloc(arrayBytes+itemBytes*int64(len(p))))
	items := make([]any, len(p))
	for i, b := range p {
		items[i] = int64(b)
	}
	return g.vm.NewArray(items...)
}

// bytesArg reads bytes that a script passes in.
func (g *guest) bytesArg(v goja.Value, what string) []byte {
	if s, ok := v.(goja.String); ok {
		g.newText(int64(s.Length()))
		return []byte(s.String())
	}
	n, ok := g.arrayLength(v)
	if !ok {
		g.throw("%s is a string or an array of bytes; use JSON.stringify for other values", what)
	}
	if n > script.MaxText {
		g.refuse(abi.StatusLimit)
	}
	g.must(g.Spend(n/4) && g.Alloc(n))
	p := make([]byte, n)
	o := v.ToObject(g.vm)
	for i := range p {
		b := valueOr(o.Get(g.vm.ToValue(i).String()))
		f, ok := b.Export().(int64)
		if !ok || f < 0 || f > math.MaxUint8 {
			g.throw("%s is an array with something else than bytes in it", what)
		}
		p[i] = byte(f)
	}
	return p
}

// kvGet gives the bytes under a key, or null when it is absent.
func (g *guest) kvGet(call goja.FunctionCall) goja.Value {
	p, st, ok := g.KVGet(g.name(call, "a key"))
	g.must(ok)
	if st == abi.StatusNotFound {
		return goja.Null()
	}
	g.refuse(st)
	return g.bytesValue(p)
}

// kvSet takes a key, a value and for how many milliseconds it is kept.
func (g *guest) kvSet(call goja.FunctionCall) goja.Value {
	key := g.name(call, "a key")
	ttl := 0.0
	if v := arg(call, 2); !goja.IsUndefined(v) {
		ttl = v.ToFloat()
	}
	if !(ttl >= 0 && ttl < math.MaxUint64) {
		g.throw("a time to live is in milliseconds, 0 for ever")
	}
	return g.answer(g.KVSet(key, uint64(ttl), g.bytesArg(arg(call, 1), "a value")))
}

func (g *guest) kvDelete(call goja.FunctionCall) goja.Value {
	return g.answer(g.KVSet(g.name(call, "a key"), 0, nil))
}

// secret gives a secret, or null when there is none of that name.
func (g *guest) secret(call goja.FunctionCall) goja.Value {
	p, st, ok := g.Secret(g.name(call, "the name of a secret"))
	g.must(ok)
	if st == abi.StatusNotFound {
		return goja.Null()
	}
	g.refuse(st)
	return g.bytesValue(p)
}

// has gives true or false.
func (g *guest) has(call goja.FunctionCall) goja.Value {
	st, ok := g.Has(g.name(call, "the name of a service"))
	g.must(ok)
	return g.vm.ToValue(st == abi.StatusOK)
}

// http takes {url, method, headers, body, timeout} and gives {status, headers,
// body}.
func (g *guest) http(call goja.FunctionCall) goja.Value {
	text := g.argument(call, 0)
	if text == nil {
		g.throw("http takes {url, method, headers, body, timeout}")
	}
	req, err := script.ParseRequest(text)
	if err != nil {
		g.throw("%s", err.Error())
	}
	res, st, ok := g.HTTP(req)
	g.must(ok)
	g.refuse(st)
	b := builder{g}
	headers, ok := b.Object()
	g.must(ok)
	names, values := script.HeaderMap(res.Header)
	for _, name := range names {
		v, ok := b.String(values[name])
		g.must(ok && b.Member(headers, name, v))
	}
	o, ok := b.Object()
	g.must(ok && b.Member(o, "status", g.vm.ToValue(res.Status)) && b.Member(o, "headers", headers) && b.Member(o, "body", g.bytesValue(res.Body)))
	return o
}
