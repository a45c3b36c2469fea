package wasm_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	. "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

// batching is a guest that takes batches: alone, a call emits "single".
func batching(t *testing.T, body func(m *Module, item Func) Code) []byte {
	t.Helper()
	m := New()
	item, emit := m.Core(v1.FuncItem), m.Service(v1.FuncEmit)
	batch := body(m, item)
	m.Func(v1.ExportBatch, []byte{TypeI32}, []byte{TypeI32}, i32s(2), batch)
	m.Invoke(nil, I32(7), Call(item), ask(emit, put(m, 2000, message("single", ""))), I32(0))
	return carrying(t, m.Bytes(), `, "batch": true, "capabilities": {"emit": {}, "kv": {}}`)
}

// items are calls with arguments 0, 1, 2 …, each with a session of its own.
func items(w *world, n int) []sandbox.BatchItem {
	list := make([]sandbox.BatchItem, n)
	for i := range list {
		list[i] = sandbox.BatchItem{Call: callWith(fmt.Sprintf(`{"i":%d}`, i)), Session: w.session()}
	}
	return list
}

// emits names the events that a reply holds.
func emits(r abi.Reply) []string {
	var names []string
	for _, e := range r.Effects {
		names = append(names, e.Name)
	}
	return names
}

// TestBatch checks that what a guest does belongs to the item that it named, and
// that items may be returned to.
func TestBatch(t *testing.T) {
	w := newWorld()
	m := compile(t, newEngine(t), "p", batching(t, func(m *Module, item Func) Code {
		emit, output, fail, log, input := m.Service(v1.FuncEmit), m.Core(v1.FuncOutput), m.Core(v1.FuncFail), m.Core(v1.FuncLog), m.Core(v1.FuncInput)
		is := func(i int32) Code { return Seq(I32(i), Call(item)) }
		say := func(at int32, name string) Code { return ask(emit, put(m, at, message(name, ""))) }
		return Seq(
			I32(4096), I32(40000), Call(input), Drop(),
			I32(4096), Load(0), I32(4), Op(0x47), If(Unreachable()), // four items
			ask(emit, put(m, 100, message("nobody", ""))), // unavailable
			is(0), say(200, "a"), put(m, 300, `"first"`), Call(output),
			is(1), say(400, "b"), I32(1), put(m, 500, "broken"), Call(fail),
			is(3), I32(3), put(m, 600, "nothing to do"), Call(fail),
			is(0), say(700, "c"), I32(1), put(m, 800, "from the first"), Call(log),
			I32(0))
	}))
	inst := instance(t, m, w.limits)
	batcher, ok := inst.(sandbox.Batcher)
	require.True(t, ok)
	replies, usage, err := batcher.InvokeBatch(t.Context(), items(w, 4))
	require.NoError(t, err)
	require.Len(t, replies, 4)
	assert.Equal(t, []string{"a", "c"}, emits(replies[0].Reply))
	assert.Equal(t, `"first"`, string(replies[0].Reply.Output))
	assert.Equal(t, abi.Reply{Result: abi.ResultFail, Message: "broken"}, replies[1].Reply, "without the event it emitted")
	assert.Equal(t, abi.Reply{}, replies[2].Reply)
	assert.Equal(t, abi.ResultDrop, replies[3].Reply.Result)
	assert.Equal(t, []string{"info from the first"}, w.lines)
	sum := int64(0)
	for _, r := range replies {
		sum += r.Usage.Fuel
	}
	assert.Equal(t, usage.Fuel, sum, "every unit is somebody's")
	assert.Equal(t, 4, usage.HostCalls, "three events and a line")
	assert.True(t, inst.Reusable())

	reply, _, err := inst.Invoke(t.Context(), callWith(""), w.session())
	require.NoError(t, err)
	assert.Equal(t, []string{"single"}, emits(reply), "outside a batch item does nothing")
}

// TestBatchThatFails discards what every item did and runs them one by one.
func TestBatchThatFails(t *testing.T) {
	e := newEngine(t)
	for name, tt := range map[string]struct {
		body func(m *Module, item Func) Code
		want string
	}{
		"a trap": {func(m *Module, item Func) Code {
			emit := m.Service(v1.FuncEmit)
			return Seq(I32(0), Call(item), ask(emit, put(m, 100, message("lost", ""))), I32(1), Call(item), Unreachable())
		}, "trap fault"},
		"no such item":   {func(_ *Module, item Func) Code { return Seq(I32(3), Call(item), I32(0)) }, "rhost.v1.item: the batch has 3 items and none of index 3"},
		"a negative one": {func(_ *Module, item Func) Code { return Seq(I32(-1), Call(item), I32(0)) }, "none of index -1"},
		"output of nobody": {
			func(m *Module, _ Func) Code { return Seq(put(m, 100, "{}"), Call(m.Core(v1.FuncOutput)), I32(0)) },
			"rhost.v1.output: which item of the batch is it of? call item first",
		},
		"fail of nobody": {func(m *Module, _ Func) Code { return Seq(I32(1), put(m, 100, "x"), Call(m.Core(v1.FuncFail)), I32(0)) }, "rhost.v1.fail: which item"},
		"another result": {func(*Module, Func) Code { return I32(9) }, "returned 9, which is not a result"},
		"fuel":           {func(*Module, Func) Code { return Seq(Forever(), I32(0)) }, "out of fuel: the call may use 3000000"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.limits.Fuel = 1_000_000
			m := compile(t, e, "p", batching(t, tt.body))
			inst := instance(t, m, w.limits)
			batcher, ok := inst.(sandbox.Batcher)
			require.True(t, ok)
			_, _, err := batcher.InvokeBatch(t.Context(), items(w, 3))
			require.ErrorContains(t, err, tt.want)
			require.True(t, inst.Reusable())
			_, _, again := batcher.InvokeBatch(t.Context(), items(w, 3))
			assert.EqualError(t, again, err.Error())

			slot := sandbox.NewSlot()
			require.NoError(t, slot.Swap(t.Context(), compile(t, e, "p", batching(t, tt.body)), 1))
			results := slot.CallBatch(t.Context(), items(w, 3))
			require.Len(t, results, 3)
			for _, r := range results {
				require.NoError(t, r.Err)
				assert.Equal(t, []string{"single"}, emits(r.Reply))
			}
			require.NoError(t, slot.Close(t.Context()))
		})
	}
}

// TestBatchIsNotPristine shows what the documentation says: items see each other's
// memory, and the call after the batch does not.
func TestBatchIsNotPristine(t *testing.T) {
	var output Func
	count := func(at int32) Code { // as the output
		return Seq(I32(at), I32(at), Op(0x2d, 0, 0), I32(1), Add(), Op(0x3a, 0, 0), I32(at), I32(1), Call(output))
	}
	m := New()
	output = m.Core(v1.FuncOutput)
	item := m.Core(v1.FuncItem)
	m.Data(100, "0")
	m.Func(v1.ExportBatch, []byte{TypeI32}, []byte{TypeI32}, nil,
		I32(0), Call(item), count(100), I32(1), Call(item), count(100), I32(0))
	m.Invoke(nil, count(100), I32(0))
	w := newWorld()
	slot := sandbox.NewSlot()
	require.NoError(t, slot.Swap(t.Context(), compile(t, newEngine(t), "p", carrying(t, m.Bytes(), `, "batch": true`)), 1))
	outputs := func(n int) (list []string) {
		for _, r := range slot.CallBatch(t.Context(), items(w, n)) {
			require.NoError(t, r.Err)
			list = append(list, string(r.Reply.Output))
		}
		return list
	}
	assert.Equal(t, []string{"1", "2"}, outputs(2))
	assert.Equal(t, []string{"1"}, outputs(1), "alone it is a call like any other")
	assert.Equal(t, []string{"1", "2"}, outputs(2))
	require.NoError(t, slot.Close(t.Context()))
}

// TestBatchesOfModulesWithout runs the calls one by one, each with its answer.
func TestBatchesOfModulesWithout(t *testing.T) {
	w := newWorld()
	slot := sandbox.NewSlot()
	require.NoError(t, slot.Swap(t.Context(), compile(t, newEngine(t), "echo", echo()), 1))
	for i, r := range slot.CallBatch(t.Context(), items(w, 2*sandbox.MaxBatch+5)) {
		require.NoError(t, r.Err)
		assert.JSONEq(t, fmt.Sprintf(`{"i":%d}`, i), string(r.Reply.Output))
	}
	require.NoError(t, slot.Close(t.Context()))
}

// TestJSONEncoding gives a guest without an SDK one JSON object.
func TestJSONEncoding(t *testing.T) {
	m := New()
	input, output := m.Core(v1.FuncInput), m.Core(v1.FuncOutput)
	m.Invoke(nil, I32(1024), Get(0), Call(input), Drop(), I32(1024), Get(0), Call(output), I32(0))
	module := compile(t, newEngine(t), "p", carrying(t, m.Bytes(), `, "encoding": "json"`))
	c := callWith(`{"n":1}`)
	c.Event.Data = json.RawMessage(`{"b": 1,  "a":2.0}`)
	reply, _, err := once(t, module, newWorld(), c)
	require.NoError(t, err)
	assert.JSONEq(t, `{"attempt":1,"key":"k1",
		"match":{"tenant":"default","rule":"burst","version":"v1","id":"m1","at":"2026-02-28T23:00:00Z","trigger":"e1","bind":{}},
		"event":{"specversion":"1.0","id":"e1","source":"/sshd","type":"ssh.failed","data":{"b":1,"a":2}},"with":{"n":1}}`, string(reply.Output))
	assert.Contains(t, string(reply.Output), `"data":{"b": 1,  "a":2.0}`, "as it came")

	c.Event.Type, c.With = "", nil
	reply, _, err = once(t, module, newWorld(), c)
	require.NoError(t, err)
	assert.Contains(t, string(reply.Output), `"event":null,"with":{}}`)
}
