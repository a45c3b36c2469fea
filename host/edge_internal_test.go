package host

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/connect"
)

// TestDrain stops a host in the middle of its work: what it accepted is done.
func TestDrain(t *testing.T) {
	const n = 200
	app := newApp(t, map[string]string{
		"rules/r.yaml":  "rule: r\nwhen: type == \"t\"\ndo: [{run: p}, {emit: {type: u}}]\n---\nrule: u\nwhen: type == \"u\"\n",
		"plugins/p.lua": "function invoke() local n = 0 for i = 1, 2000 do n = n + i end return n end",
	})
	l := app.start()
	var events []event.Event
	for i := range n {
		events = append(events, ev("t", i, `{}`))
	}
	l.send(events...)
	l.stop()
	assert.NoError(t, l.Close(), "a second close is fine")
	assert.ErrorIs(t, l.api().Submit(t.Context(), events[:1]), api.ErrUnavailable)

	a, err := OpenArchive(t.Context(), app.data)
	require.NoError(t, err)
	defer a.Close() //nolint:errcheck // it is read from alone
	list, _, err := a.Actions(t.Context(), Query{Rule: "r", Status: "done"})
	require.NoError(t, err)
	assert.Len(t, list, n)
	list, _, err = a.Matches(t.Context(), Query{})
	require.NoError(t, err)
	assert.Len(t, list, 2*n)
}

// A retry that is due tomorrow does not hold up the end.
func TestStopDoesNotWaitForLateRetries(t *testing.T) {
	app := newApp(t, map[string]string{
		"rules/r.yaml":  "rule: r\nwhen: type == \"t\"\ndo: [{run: p, retry: {max: 1, backoff: 24h, jitter: none}}]\n",
		"plugins/p.lua": `function invoke() rhost.retry("later") end`,
	})
	l := app.start()
	l.send(ev("t", 0, `{}`))
	require.Eventually(t, func() bool { return len(l.stepsOf("r")) == 1 }, patience, time.Millisecond)
	began := time.Now()
	l.stop()
	assert.Less(t, time.Since(began), drainTime)
	l.mu.Lock()
	defer l.mu.Unlock()
	assert.Empty(t, l.notices)
}

func TestReservedTypesAreRefused(t *testing.T) {
	app := newApp(t, map[string]string{
		"rules/r.yaml":  "rule: r\nwhen: type == \"t\"\ndo: [{run: p}]\n---\nrule: all\nwhen: 'type.startsWith(\"rhost.\")'\n",
		"plugins/p.lua": `function invoke() local ok, status = rhost.emit("rhost.source.bad_record", {}) return {status = status} end`,
	})
	l := app.open()
	l.runCore()
	for _, typ := range []string{"rhost.", "rhost.source.bad_record", "rhost.x"} {
		err := l.api().Submit(t.Context(), []event.Event{ev("t", 1, `{}`), ev(typ, 2, `{}`)})
		assert.ErrorIs(t, err, ErrReserved)
		assert.ErrorIs(t, err, api.ErrInvalid)
		assert.ErrorContains(t, err, "event 1: ")
	}
	l.settle()
	assert.Empty(t, l.eventIDs(), "all or none")
	l.send(ev("t", 3, `{}`), ev("rhosted.x", 4, `{}`))
	l.settle()
	assert.Len(t, l.ids(), 1)
	assert.Len(t, l.eventIDs(), 2, "nor does a plugin get one in")
	assert.Equal(t, uint64(0), l.lane.counts.load().BadRecords)
}

// TestClock checks what moves the time by which rules measure.
func TestClock(t *testing.T) {
	rule := "rule: r\nwhen: {pattern: 'a then b', define: {a: type == \"a\", b: type == \"b\"}, within: 10s}\n"
	now := func(l *liveHost) time.Time {
		var at time.Time
		require.NoError(t, l.lane.ask(t.Context(), func() { at = l.lane.matcher.Now() }))
		return at
	}
	at := func(typ string, n int, when time.Time) event.Event {
		e := ev(typ, n, `{}`)
		e.Time = when
		return e
	}
	t.Run("far in the future", func(t *testing.T) {
		l := newApp(t, map[string]string{"rules/r.yaml": rule}).open()
		l.runCore()
		l.send(at("a", 0, time.Now().Add(1000*time.Hour)), at("b", 1, time.Time{}))
		l.settle()
		assert.WithinDuration(t, time.Now(), now(l), patience, "arrival counts")
		assert.Len(t, l.ids(), 1, "both came within ten seconds")
	})
	t.Run("a source's events alone", func(t *testing.T) {
		app := newApp(t, map[string]string{
			"rules/r.yaml": rule,
			"rhost.yaml":   "sources: {log: {files: {path: none.log, clock: event}}}\n",
		})
		l := app.open()
		l.runCore()
		source := intake{l.admit, "log"}
		submit := func(events ...event.Event) {
			require.NoError(t, source.Submit(t.Context(), connect.Batch{Events: events, Clock: true}))
		}
		submit(at("a", 0, testDay))
		l.send(at("x", 1, testDay.Add(time.Hour))) // by the API
		require.NoError(t, intake{l.admit, "other"}.Submit(t.Context(), connect.Batch{Events: []event.Event{at("x", 2, testDay.Add(time.Hour))}}))
		l.settle()
		assert.Equal(t, testDay, now(l).UTC(), "others do not move it")
		submit(at("b", 3, testDay.Add(9*time.Second)), at("a", 4, testDay.Add(20*time.Second)), at("b", 5, testDay.Add(31*time.Second)))
		l.settle()
		assert.Len(t, l.ids(), 1, "ten seconds by the log's own times")
		before := l.ids()
		l.end()
		l.stop()

		// A replay sees the clock that was, whatever the configuration is by now.
		app.write("rhost.yaml", "")
		l = app.open()
		assert.Equal(t, testDay.Add(31*time.Second), l.lane.matcher.Now().UTC())
		assert.Equal(t, before, l.ids())
		require.NoError(t, l.Close())
	})
}

var hookApp = map[string]string{
	"rhost.yaml": "sources: {in: {webhook: {type: hook}}}\n",
	"rules/r.yaml": `
rule: hook
when: type == "hook"
do:
  - {id: say, run: echo, with: {data: "${event.data}"}}
  - {emit: {type: said, data: {data: "${event.data}"}}}
---
rule: field
when: type == "hook" && data.a.b[0].c == 1
---
rule: said
when: type == "said"
do: [{run: echo, with: {data: "${event.data.data}"}}]
`,
	"plugins/echo.lua": `function invoke(call) assert(rhost.emit("echoed", {v = call.with.data})) return {v = call.with.data} end`,
}

// odd is JSON that is right and unusual.
var odd = []string{
	`null`, `0`, `-0`, `1e308`, `123456789012345678901234567890`, `""`, `"\u0000"`, `"\ud800"`, `"\ufeff"`, `[]`, `{}`, `{"":{"":[]}}`,
	`{"a":{"b":[{"c":1}]}}`, `{"a":{"b":{"c":1}}}`, `{"a":null}`, `{"__proto__":1,"constructor":2}`, `{"${x}":"${event.data}"}`,
	"\t\r\n {\"a\" : 1 } \n", strings.Repeat("[", 40) + strings.Repeat("]", 40), strings.Repeat("[", 63) + strings.Repeat("]", 63), `"` + strings.Repeat("<", 60_000) + `"`, `{"\u2028":"\u2029"}`, `1e-400`, `[1,2.0,3e0]`,
}

func post(l *liveHost, body string) int {
	h, ok := l.api().Hook("in")
	if !ok {
		return http.StatusNotFound
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/hooks/in", strings.NewReader(body)))
	return w.Code
}

// TestOddPayloads sends unusual JSON all the way: webhook, log, rule, plugin,
// emitted event, rule, plugin. Nothing is lost and nothing stops.
func TestOddPayloads(t *testing.T) {
	l := newApp(t, hookApp).open()
	l.runCore()
	accepted := 0
	for _, body := range odd {
		if code := post(l, body); code == http.StatusAccepted {
			accepted++
		} else {
			assert.Equal(t, http.StatusBadRequest, code, body[:min(len(body), 60)])
		}
	}
	l.settle()
	require.Greater(t, accepted, len(odd)-4)
	ended := 0
	for _, a := range l.actions(api.Query{Rule: "hook"}) {
		if a.Step == "" {
			ended++
		}
	}
	assert.Equal(t, accepted, ended, "executions that came to an end")
	assert.LessOrEqual(t, len(l.letters()), 1, "what is nested too deeply to be emitted ends as a dead letter")
	assert.EqualValues(t, len(l.eventIDs()), l.lane.counts.load().Events)
	before := l.ids()
	l.end()
	l.stop()
	again := (&testApp{t: t, dir: l.app, data: l.data}).open()
	again.runCore()
	again.settle()
	assert.Equal(t, before, again.ids())
}

func FuzzWebhookToLane(f *testing.F) {
	for _, body := range odd {
		f.Add(body)
	}
	f.Add("{")
	var l *liveHost
	f.Fuzz(func(t *testing.T, body string) {
		if l == nil || l.t != t {
			l = newApp(t, hookApp).open()
			l.runCore()
		}
		before := len(l.eventIDs())
		code := post(l, body)
		l.settle()
		if code == http.StatusAccepted {
			assert.Greater(t, len(l.eventIDs()), before)
			return
		}
		assert.Contains(t, []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge}, code, body)
		assert.Len(t, l.eventIDs(), before)
	})
}

func TestReady(t *testing.T) {
	l := newApp(t, undoApp).start()
	require.NoError(t, l.api().Ready(t.Context()))
	info := l.Summary()
	assert.Equal(t, []string{"deal", "mend"}, info.Rules)
	assert.Equal(t, "do", info.Plugins[0].Name)
	assert.FileExists(t, filepath.Join(l.data, SocketName))
	for _, name := range []string{"deal", "nobody"} {
		_, err := l.api().Plan(t.Context(), name)
		_, whyErr := l.api().WhyNot(t.Context(), name)
		if name == "deal" {
			require.NoError(t, err)
			require.NoError(t, whyErr)
			continue
		}
		assert.ErrorIs(t, err, api.ErrNotFound)
		assert.ErrorIs(t, whyErr, api.ErrNotFound)
	}
	l.stop()
	assert.ErrorIs(t, l.lane.ask(t.Context(), func() {}), errLaneStopped, "after the end")
}
