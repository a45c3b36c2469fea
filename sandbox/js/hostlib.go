package js

import (
	"errors"
	"math"
	"slices"

	"github.com/dop251/goja"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/script"
)

// services is an object of the host whose members are made when they are asked
// for: few scripts use many of them, and making them all takes longer than most
// calls. A script cannot change them.
type services struct {
	g       *guest
	order   []string
	natives map[string]native
	made    map[string]goja.Value
}

// service makes an object of functions, with other members beside them.
func (g *guest) service(natives map[string]native, more map[string]goja.Value) *goja.Object {
	s := &services{g: g, natives: natives, made: make(map[string]goja.Value, 4)}
	for name, v := range more {
		s.made[name] = v
		s.order = append(s.order, name)
	}
	for name := range natives {
		s.order = append(s.order, name)
	}
	slices.Sort(s.order)
	return g.vm.NewDynamicObject(s)
}

// Get gives a member; nil when there is none.
func (s *services) Get(key string) goja.Value {
	if v, ok := s.made[key]; ok {
		return v
	}
	f, ok := s.natives[key]
	if !ok {
		return nil
	}
	v := s.g.vm.ToValue(f)
	s.made[key] = v
	return v
}

// Set refuses: the members belong to the host.
func (s *services) Set(string, goja.Value) bool { return false }

// Has reports whether there is a member.
func (s *services) Has(key string) bool { return s.Get(key) != nil }

// Delete refuses.
func (s *services) Delete(string) bool { return false }

// Keys lists the members.
func (s *services) Keys() []string { return s.order }

// hostLib makes the object rhost. A service that is refused throws a RhostError
// whose status is the name of the status.
func (g *guest) hostLib(config goja.Value) *goja.Object {
	state := g.service(map[string]native{
		"get": g.stateGet, "set": g.stateSet, "cas": g.stateCAS, "delete": g.stateDelete,
	}, nil)
	return g.service(map[string]native{
		"emit": g.emit, "notify": g.notify, "now": g.now, "random": g.randomBytes, "log": g.log,
		"debug": g.logAt(sandbox.LogDebug), "info": g.logAt(sandbox.LogInfo), "warn": g.logAt(sandbox.LogWarn), "error": g.logAt(sandbox.LogError),
		"http": g.http, "secret": g.secret, "has": g.has,
		"fail": g.ending(abi.ResultFail), "retry": g.ending(abi.ResultRetry), "drop": g.ending(abi.ResultDrop),
	}, map[string]goja.Value{"state": state, "kv": g.kv(), "config": config})
}

// console is what other JavaScript hosts call their log.
func (g *guest) console() *goja.Object {
	return g.service(map[string]native{
		"debug": g.logAt(sandbox.LogDebug), "log": g.logAt(sandbox.LogInfo), "info": g.logAt(sandbox.LogInfo),
		"warn": g.logAt(sandbox.LogWarn), "error": g.logAt(sandbox.LogError),
	}, nil)
}

// answer is the result of a service that gives nothing but a status.
func (g *guest) answer(st abi.Status, ok bool) goja.Value {
	g.must(ok)
	g.refuse(st)
	return goja.Undefined()
}

// refuse throws unless the status is ok.
func (g *guest) refuse(st abi.Status) {
	if st == abi.StatusOK {
		return
	}
	e := g.vm.NewTypeError("the host refused: %s", script.StatusName(st))
	check(e.DefineDataProperty("name", g.vm.ToValue("RhostError"), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE))
	check(e.DefineDataProperty("status", g.vm.ToValue(script.StatusName(st)), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE))
	g.must(g.Alloc(objectBytes))
	panic(e)
}

// argument is argument n as JSON; nil when it is absent or undefined.
func (g *guest) argument(call goja.FunctionCall, n int) []byte {
	p, err := g.encode(arg(call, n), g.Session.Limits().EffectBytes)
	if errors.Is(err, errTooLong) {
		g.refuse(abi.StatusLimit)
	}
	if err != nil {
		g.throw("%s", err.Error())
	}
	return p
}

func (g *guest) name(call goja.FunctionCall, what string) string {
	s, ok := arg(call, 0).(goja.String)
	if !ok {
		g.throw("%s is a string", what)
	}
	return s.String()
}

func (g *guest) emit(call goja.FunctionCall) goja.Value {
	return g.answer(g.Emit(g.name(call, "the type of an event"), g.argument(call, 1)))
}

func (g *guest) notify(call goja.FunctionCall) goja.Value {
	topic, data := g.name(call, "a topic"), g.argument(call, 1)
	if data == nil {
		data = []byte("null")
	}
	return g.answer(g.Notify(topic, data))
}

func (g *guest) now(goja.FunctionCall) goja.Value {
	t, st, ok := g.Now()
	g.must(ok)
	g.refuse(st)
	return g.vm.ToValue(t.UnixMilli())
}

// randomBytes gives an array of numbers: scripts have no arrays of bytes.
func (g *guest) randomBytes(call goja.FunctionCall) goja.Value {
	n := arg(call, 0).ToInteger()
	p, st, ok := g.Random(int(min(max(n, -1), math.MaxInt32)))
	g.must(ok)
	g.refuse(st)
	g.must(g.Alloc(arrayBytes + itemBytes*int64(len(p))))
	items := make([]any, len(p))
	for i, b := range p {
		items[i] = int64(b)
	}
	return g.vm.NewArray(items...)
}

// log takes a message, or a level and a message.
func (g *guest) log(call goja.FunctionCall) goja.Value {
	level := sandbox.LogInfo
	if len(call.Arguments) > 1 {
		l, ok := script.ParseLevel(g.toString(call.Arguments[0]).String())
		if !ok {
			g.throw("the level is debug, info, warn or error")
		}
		level = l
		call.Arguments = call.Arguments[1:]
	}
	return g.logAt(level)(call)
}

// logAt writes its arguments as one line: strings as they are, other values as
// JSON where they have one.
func (g *guest) logAt(level sandbox.LogLevel) native {
	return func(call goja.FunctionCall) goja.Value {
		var line []byte
		for i, v := range call.Arguments {
			if i > 0 {
				line = append(line, ' ')
			}
			line = append(line, g.loggable(v)...)
			g.newText(int64(len(line)))
		}
		g.must(g.Log(level, string(line)))
		return goja.Undefined()
	}
}

func (g *guest) loggable(v goja.Value) string {
	if o, ok := v.(*goja.Object); ok && o.ClassName() != "Error" {
		if p, err := g.encode(o, script.MaxText); err == nil && p != nil {
			return string(p)
		}
	}
	if s, ok := v.(*goja.Symbol); ok {
		return s.String()
	}
	return g.toString(v).String()
}

// ending makes rhost.fail and its like, which end the call at once: neither
// catch nor finally keeps it running.
func (g *guest) ending(result abi.Result) native {
	return func(call goja.FunctionCall) goja.Value {
		msg := ""
		if m := arg(call, 0); !goja.IsUndefined(m) {
			msg = g.loggable(m)
		}
		g.End(result, msg)
		g.halt()
		return nil
	}
}

// stateGet gives {value, version}, or null when the key is absent.
func (g *guest) stateGet(call goja.FunctionCall) goja.Value {
	key := g.name(call, "a key")
	raw, version, st, ok := g.StateGet(key)
	g.must(ok)
	if st == abi.StatusNotFound {
		return goja.Null()
	}
	g.refuse(st)
	v, err := g.decode(raw)
	if err != nil {
		g.throw("the value of %s: %s", key, err.Error())
	}
	b := builder{g}
	o, ok := b.Object()
	g.must(ok && b.Member(o, "value", v) && b.Member(o, "version", g.vm.ToValue(version)))
	return o
}

func (g *guest) stateSet(call goja.FunctionCall) goja.Value {
	return g.answer(g.StateSet(g.name(call, "a key"), g.argument(call, 1)))
}

// stateCAS gives true, or false when the key has another version by now.
func (g *guest) stateCAS(call goja.FunctionCall) goja.Value {
	version := arg(call, 1).ToInteger()
	if version < 0 {
		g.throw("a version is not negative")
	}
	st, ok := g.StateCAS(g.name(call, "a key"), uint64(version), g.argument(call, 2))
	g.must(ok)
	if st == abi.StatusConflict {
		return g.vm.ToValue(false)
	}
	g.refuse(st)
	return g.vm.ToValue(true)
}

func (g *guest) stateDelete(call goja.FunctionCall) goja.Value {
	return g.answer(g.StateSet(g.name(call, "a key"), nil))
}
