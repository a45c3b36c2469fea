package host

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/host/workflow"
	"github.com/rhost/rhost/sandbox"
	w "github.com/rhost/rhost/sandbox/wasm/wasmtest"
)

const recordCalls = "plugins: {p: {record: calls, limits: {deadline: 1m}}}\n"

// replayed runs the recorded calls of an app again, whose host has ended.
func (a *testApp) replayed(q CallQuery, with *Candidate) []*Replayed {
	a.t.Helper()
	archive, err := OpenArchive(a.t.Context(), a.data)
	require.NoError(a.t, err)
	var list []*Replayed
	require.NoError(a.t, archive.Replay(a.t.Context(), ReplayOptions{Query: q, App: a.dir, Data: a.data, With: with}, func(r *Replayed) error {
		list = append(list, r)
		return nil
	}))
	require.NoError(a.t, archive.Close())
	return list
}

// replayedAs is replayed of calls that are on record in another way.
func (a *testApp) replayedAs(change func(*PastCall)) (list []*Replayed) {
	a.t.Helper()
	archive, err := OpenArchive(a.t.Context(), a.data)
	require.NoError(a.t, err)
	r, err := newRerun(archive, ReplayOptions{App: a.dir, Data: a.data})
	require.NoError(a.t, err)
	require.NoError(a.t, archive.calls(a.t.Context(), CallQuery{}, func(c *PastCall) error {
		change(c)
		out, err := r.again(a.t.Context(), c)
		list = append(list, out)
		return err
	}))
	require.NoError(a.t, r.close(a.t.Context()))
	require.NoError(a.t, archive.Close())
	return list
}

func outcomes(list []*Replayed) (all []string) {
	for _, r := range list {
		all = append(all, strings.TrimSuffix(r.Outcome+": "+r.Reason, ": "))
	}
	return all
}

// chancy is a module that emits the time and random bytes as its host has them.
func chancy(t *testing.T) string {
	t.Helper()
	m := w.New()
	now, random, state, set := m.Service(v1.FuncNow), m.Service(v1.FuncRandom), m.Service(v1.FuncStateGet), m.Service(v1.FuncStateSet)
	output := m.Core(v1.FuncOutput)
	m.Data(100, string(v1.AppendRandom(nil, 8)))
	m.Data(200, "count")
	request := v1.AppendStateSet(nil, "count", []byte("1"))
	m.Data(300, string(request))
	m.Data(400, `"________________"`)
	m.Invoke(i32s(1),
		w.I32(0), w.I32(0), w.I32(1000), w.I32(12), w.Call(now), w.Drop(),
		w.I32(100), w.I32(4), w.I32(2000), w.I32(8), w.Call(random), w.Drop(),
		w.I32(200), w.I32(5), w.I32(3000), w.I32(64), w.Call(state), w.Drop(),
		w.I32(300), w.I32(int32(len(request))), w.I32(0), w.I32(0), w.Call(set), w.Drop(),
		// The lowest bits of each byte become letters, so that the output tells them.
		w.Repeat(1, 8,
			w.Get(1), w.I32(400), w.Add(), w.Get(1), w.I32(1999), w.Add(), w.Op(0x2d, 0, 0), w.I32(15), w.Op(0x71), w.I32('a'), w.Add(), w.Op(0x3a, 0, 0)),
		w.Repeat(1, 8,
			w.Get(1), w.I32(408), w.Add(), w.Get(1), w.I32(999), w.Add(), w.Op(0x2d, 0, 0), w.I32(15), w.Op(0x71), w.I32('a'), w.Add(), w.Op(0x3a, 0, 0)),
		w.I32(400), w.I32(18), w.Call(output), w.I32(0))
	return string(m.Bytes())
}

func i32s(n int) []byte { return []byte(strings.Repeat(string([]byte{w.TypeI32}), n)) }

// TestReplayOfAModule runs calls of a Wasm module again that read time, chance and
// state, also those from before a restart, and those of a version that was replaced.
func TestReplayOfAModule(t *testing.T) {
	a := newApp(t, map[string]string{"rules/r.yaml": callRule, "rhost.yaml": recordCalls, "plugins/p.wasm": chancy(t)})
	l := a.start()
	l.send(ev("go", 1, `{"a":  1}`), ev("go", 2, `{}`))
	l.settle()
	outs := l.outs()
	require.Len(t, outs, 2, "%v", l.actions(Query{}))
	l.stop()
	a.write("plugins/p.wasm", string(func() []byte { m := w.New(); m.Invoke(nil, w.I32(0)); return m.Bytes() }()))
	l = a.start()
	l.send(ev("go", 3, `{}`))
	l.settle()
	first := l.actions(Query{})[0]
	l.stop()

	list := a.replayed(CallQuery{}, nil)
	assert.Equal(t, []string{"same", "same", "same"}, outcomes(list))
	assert.Equal(t, outs, []string{string(list[0].Now.Output), string(list[1].Now.Output)})
	assert.NotEqual(t, outs[0], outs[1], "random bytes are others")
	assert.NotEqual(t, list[0].Digest, list[2].Digest)
	assert.Positive(t, list[0].Now.Fuel)
	assert.Equal(t, 4, list[0].Now.HostCalls)

	assert.Len(t, a.replayed(CallQuery{ID: first.Match}, nil), 1)
	assert.Len(t, a.replayed(CallQuery{ID: first.Execution}, nil), 1)
	assert.Empty(t, a.replayed(CallQuery{Rule: "other"}, nil))
	assert.Len(t, a.replayed(CallQuery{Rule: "call"}, nil), 3)
	assert.Empty(t, a.replayed(CallQuery{Since: time.Now().Add(time.Hour)}, nil))

	tried := a.replayed(CallQuery{}, &Candidate{Plugin: "p", Kind: deploy.Lua, Source: []byte("function invoke() return 1 end")})
	require.Len(t, tried, 3)
	assert.Equal(t, "differs: another output", outcomes(tried)[0])
	assert.Contains(t, tried[0].Note, "fuel does not compare: it was counted by wazero ")
	assert.Equal(t, []string{"output", "effects"}, tried[0].Differs)

	gone := a.replayedAs(func(c *PastCall) { c.Digest = sandbox.Digest([]byte(c.Digest)) })
	assert.Contains(t, outcomes(gone)[0], "skipped: the module that ran is gone: ")
}

// TestReplayOfWhatFailed runs calls again that failed, were tried again, undone, lost
// over state, and whose match is too large for the history.
func TestReplayOfWhatFailed(t *testing.T) {
	a := newApp(t, map[string]string{"rhost.yaml": recordCalls, "rules/r.yaml": `rule: call
when: type == "go"
do:
  - {id: first, run: p, with: {do: count}, undo: {run: p, with: {do: undo}}}
  - {id: second, run: p, with: {do: '${event.data.do}'}, retry: {max: 2, wait: 1ms}}
`, "plugins/p.lua": `
local does = {
  count = function()
    local n, v = rhost.state.get("n")
    rhost.state.cas("n", n and v or 0, (n or 0) + 1)
    return n
  end,
  undo = function(call) return call.key end,
  retry = function(call) if call.attempt < 2 then rhost.retry("<later>") end end,
  fail = function() rhost.fail("no & never") end,
  drop = function() rhost.drop() end,
  spin = function() while true do end end,
  trap = function() error({}) end,
  large = function() return ("x"):rep(300000) end,
  reserved = function() rhost.emit("rhost.own", {}) end,
  many = function() for i = 1, 2000 do rhost.log("info", "x") end end,
  denied = function() return rhost.secret("none") end,
  http = function() return rhost.http({url = "http://x"}) end,
}
function invoke(call) return does[call.with["do"]](call) end`})
	l := a.start()
	for i, do := range []string{"count", "retry", "fail", "drop", "spin", "trap", "large", "reserved", "many", "denied", "http"} {
		l.send(ev("go", i, `{"do":"`+do+`","pad":"`+strings.Repeat("x", 40_000*i)+`"}`))
	}
	l.settle()
	letters := l.letters()
	require.NoError(t, l.lane.untilSaved(t.Context(), func() error { return l.lane.redrive(t.Context(), letters[0].ID) }))
	l.settle()
	l.stop()

	list := a.replayed(CallQuery{}, nil)
	seen := map[string]int{}
	for _, r := range list {
		assert.Equal(t, ReplaySame, r.Outcome, "%s %s: %s", r.Step, r.Was.Message, r.Reason)
		what := r.Was.Result + " " + r.Was.Fault
		if r.Undo {
			what = "undo"
		}
		seen[strings.TrimSpace(what)]++
	}
	for _, want := range []string{"ok", "drop", "retry", "fail", "fault fuel", "fault trap", "fault limit", "undo"} {
		assert.Positive(t, seen[want], "%s of %v", want, seen)
	}
}

// TestReplayReachesNothing answers requests from the record: the server is gone.
func TestReplayReachesNothing(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		asked++
		rw.Write([]byte("hello")) //nolint:errcheck // a test's own server
	}))
	a := newApp(t, map[string]string{
		"rhost.yaml": `egress: {hosts: ["127.0.0.1:` + server.URL[strings.LastIndex(server.URL, ":")+1:] + `"], private: [127.0.0.0/8]}
plugins: {p: {record: calls, grant: [http], limits: {deadline: 1m}}}
`,
		"rules/r.yaml": callRule,
		"plugins/p.lua": `function invoke(call)
  local res = assert(rhost.http({url = "` + server.URL + `/" .. call.event.data.n}))
  return res.body
end`,
	})
	l := a.start()
	l.send(ev("go", 1, `{"n":1}`))
	l.settle()
	assert.Equal(t, []string{`"hello"`}, l.outs())
	l.stop()
	server.Close()
	assert.Equal(t, []string{"same"}, outcomes(a.replayed(CallQuery{}, nil)))
	assert.Equal(t, 1, asked)
	other := Candidate{Plugin: "p", Kind: deploy.Lua, Source: []byte(`function invoke(call) return rhost.http({url = "` + server.URL + `/2"}).body end`)}
	assert.Contains(t, outcomes(a.replayed(CallQuery{}, &other))[0], "differs: replay: the call asks for http GET "+server.URL+"/2 as it makes it, which is not on record")
}

// TestUnrepeatable names why a call cannot be run again.
func TestUnrepeatable(t *testing.T) {
	for name, tt := range map[string]struct {
		call PastCall
		want string
	}{
		"no record":   {PastCall{}, "it was not recorded"},
		"of old":      {PastCall{tape: json.RawMessage(`[{"seq":1}]`)}, "by an earlier version of rhost"},
		"of later":    {PastCall{tape: json.RawMessage(`{"v":2}`)}, "has version 2; this rhost reads version 1"},
		"too much":    {PastCall{tape: json.RawMessage(`{"v":1,"full":true}`)}, "more than the 256 KiB"},
		"damaged":     {PastCall{tape: json.RawMessage(`{"v":`)}, "cannot be read"},
		"deadline":    {PastCall{kind: workflow.FailTimeout}, "deadline"},
		"unavailable": {PastCall{kind: workflow.FailUnavailable}, "no version"},
		"conflict":    {PastCall{kind: workflow.FailConflict}, "changed under it"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tt.call.repeatable()
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

// TestTapeOfTooMuch keeps nothing of a call that was told too much, and says so.
func TestTapeOfTooMuch(t *testing.T) {
	a := newApp(t, map[string]string{"rhost.yaml": recordCalls, "rules/r.yaml": callRule, "plugins/p.lua": `
function invoke(call)
  rhost.kv.set("k", ("x"):rep(200000))
  for i = 1, 2 do rhost.kv.get("k") end
end`})
	l := a.start()
	l.send(ev("go", 1, `{}`))
	l.settle()
	l.stop()
	assert.Equal(t, []string{"skipped: it was told more than the 256 KiB that are kept"}, outcomes(a.replayed(CallQuery{}, nil)))
}

// TestReplayUnderAnotherRuntime compares all but fuel, and runs no fault again.
func TestReplayUnderAnotherRuntime(t *testing.T) {
	a := newApp(t, map[string]string{"rhost.yaml": recordCalls, "rules/r.yaml": callRule, "plugins/p.lua": `
function invoke(call) if call.event.data.trap then error("x") end return 1 end`})
	l := a.start()
	l.send(ev("go", 1, `{}`), ev("go", 2, `{"trap":true}`))
	l.settle()
	l.stop()
	got := a.replayedAs(func(c *PastCall) {
		c.tape = json.RawMessage(strings.Replace(string(c.tape), `"runtime":"`, `"runtime":"old `, 1))
		c.Was.Fuel++
	})
	require.Len(t, got, 2)
	ends := map[string]*Replayed{got[0].Was.Result: got[0], got[1].Was.Result: got[1]}
	assert.Equal(t, ReplaySame, ends["ok"].Outcome)
	assert.Contains(t, ends["ok"].Note, "counted by old gopher-lua")
	assert.Contains(t, ends["fault"].Reason, "it ended as a fault under old gopher-lua")
}

// TestReplayTellsDifferences names each part of a call that is not as it is on record.
func TestReplayTellsDifferences(t *testing.T) {
	a := newApp(t, map[string]string{"rhost.yaml": recordCalls, "rules/r.yaml": callRule, "plugins/p.lua": `
function invoke(call) rhost.kv.get("k") rhost.emit("seen", {n = 1}) return 1 end`})
	l := a.start()
	l.send(ev("go", 1, `{}`))
	l.settle()
	l.stop()
	for name, tt := range map[string]struct {
		change func(*PastCall)
		want   string
	}{
		"result":     {func(c *PastCall) { c.Was.Result = "drop" }, "differs: ok instead of drop"},
		"output":     {func(c *PastCall) { c.Was.Output = json.RawMessage("2") }, "differs: another output"},
		"effect":     {func(c *PastCall) { c.Was.Effects[0].Value = json.RawMessage(`{"n":2}`) }, "differs: other effects"},
		"effects":    {func(c *PastCall) { c.Was.Effects = nil }, "differs: other effects"},
		"fuel":       {func(c *PastCall) { c.Was.Fuel = 1 }, " fuel instead of 1"},
		"host calls": {func(c *PastCall) { c.Was.HostCalls = 9 }, "differs: 2 host calls instead of 9"},
		"a request": {func(c *PastCall) {
			c.tape = json.RawMessage(strings.Replace(string(c.tape), `"func":"emit"`, `"func":"notify"`, 1))
		}, "differs: replay: host call 2 is emit; the record has notify"},
		"an end": {func(c *PastCall) {
			c.tape = json.RawMessage(strings.Replace(string(c.tape), `}]}`, `},{"seq":3,"func":"now"}]}`, 1))
		}, "differs: replay: the call ended after 2 host calls; the record goes on with now"},
	} {
		t.Run(name, func(t *testing.T) {
			got := outcomes(a.replayedAs(tt.change))
			require.Len(t, got, 1)
			assert.Contains(t, got[0], tt.want)
		})
	}
}
