package lua

import (
	"encoding/json"
	"errors"
	"math"

	glua "github.com/yuin/gopher-lua"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox/script"
)

// reachLib are the services that keep bytes or reach outside the host, and JSON,
// which they need.
func (lib *library) reachLib() {
	lib.open("rhost.kv")
	lib.open("rhost.json")
	lib.add("rhost.kv", "get", kvGet)
	lib.add("rhost.kv", "set", kvSet)
	lib.add("rhost.kv", "delete", kvDelete)
	lib.add("rhost.json", "encode", jsonEncode)
	lib.add("rhost.json", "decode", jsonDecode)
	lib.add("rhost", "http", hostHTTP)
	lib.add("rhost", "secret", hostSecret)
	lib.add("rhost", "has", hostHas)
}

// bytes pushes an answer that a script sees as a string.
func (g *guest) bytes(l *glua.LState, p []byte, st abi.Status, ok bool) int {
	g.must(l, ok)
	if st != abi.StatusOK {
		return refuse(l, st)
	}
	g.must(l, g.text(len(p)))
	l.Push(glua.LString(p))
	return 1
}

func kvGet(g *guest, l *glua.LState) int {
	p, st, ok := g.KVGet(l.CheckString(1))
	return g.bytes(l, p, st, ok)
}

// kvSet takes a key, a text and how many milliseconds it is kept for.
func kvSet(g *guest, l *glua.LState) int {
	ttl := float64(l.OptNumber(3, 0))
	if !(ttl >= 0 && ttl < math.MaxUint64) {
		l.ArgError(3, "a time to live is in milliseconds, 0 for ever")
	}
	st, ok := g.KVSet(l.CheckString(1), uint64(ttl), []byte(l.CheckString(2)))
	return g.answer(l, st, ok)
}

func kvDelete(g *guest, l *glua.LState) int {
	st, ok := g.KVSet(l.CheckString(1), 0, nil)
	return g.answer(l, st, ok)
}

func hostSecret(g *guest, l *glua.LState) int {
	p, st, ok := g.Secret(l.CheckString(1))
	return g.bytes(l, p, st, ok)
}

func hostHas(g *guest, l *glua.LState) int {
	st, ok := g.Has(l.CheckString(1))
	return g.answer(l, st, ok)
}

// hostHTTP takes {url, method, headers, body, timeout} and gives {status,
// headers, body}. A body that is a string is sent as its bytes are.
func hostHTTP(g *guest, l *glua.LState) int {
	arg := l.CheckTable(1)
	req, err := script.ParseRequest(g.argument(l, 1))
	if err != nil {
		l.ArgError(1, err.Error())
	}
	if body, ok := arg.RawGetString("body").(glua.LString); ok {
		req.Body = []byte(body)
	}
	res, st, ok := g.HTTP(req)
	g.must(l, ok)
	if st != abi.StatusOK {
		return refuse(l, st)
	}
	names, values := script.HeaderMap(res.Header)
	headers := l.CreateTable(0, len(names))
	for _, name := range names {
		headers.RawSetString(name, glua.LString(values[name]))
	}
	g.must(l, g.Alloc(2*tableBytes+int64(len(names)+3)*entryBytes) && g.text(len(res.Body)))
	out := l.CreateTable(0, 3)
	out.RawSetString("status", glua.LNumber(res.Status))
	out.RawSetString("headers", headers)
	out.RawSetString("body", glua.LString(res.Body))
	l.Push(out)
	return 1
}

// jsonEncode gives the JSON of a value.
func jsonEncode(g *guest, l *glua.LState) int {
	l.CheckAny(1)
	p, err := g.encode(l.Get(1), script.MaxText)
	g.must(l, g.Stopped() == nil)
	if errors.Is(err, errTooLong) {
		l.ArgError(1, "is longer than a string may be")
	}
	if err != nil {
		l.ArgError(1, err.Error())
	}
	g.must(l, g.text(len(p)))
	l.Push(glua.LString(p))
	return 1
}

// jsonDecode gives the value of a JSON text; nil and a reason when it is none.
func jsonDecode(g *guest, l *glua.LState) int {
	text := []byte(l.CheckString(1))
	g.must(l, g.Spend(int64(len(text))/8))
	if !json.Valid(text) {
		l.Push(glua.LNil)
		l.Push(glua.LString("invalid"))
		return 2
	}
	v, err := g.decode(text)
	g.must(l, g.Stopped() == nil)
	if err != nil {
		l.ArgError(1, err.Error())
	}
	l.Push(v)
	return 1
}
