package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/connect"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/eventlog/eventlogtest"
	"github.com/rhost/rhost/yamldoc"
)

// countHeld counts what the events of a log's tenants take, frame by frame.
func countHeld(t require.TestingT, log *eventlog.Log) map[string]int64 {
	sums := make(map[string]int64)
	require.NoError(t, log.Read(context.Background(), eventlog.Position{}, func(f *eventlog.Frame) error {
		for i := range f.Records {
			if n := f.Records[i].Charge(); n > 0 {
				sums[f.Records[i].Tenant] += n
			}
		}
		return nil
	}))
	return sums
}

func (a *account) events(tenant string) int64 {
	s := a.summary(tenant, 0)
	return s.Events
}

// Whatever is sent, refused, sent again, removed, kept in a snapshot and recovered,
// on servers that misbehave: the account says what a count of the log says, and no
// tenant holds more than it may.
func TestAccountAgreesWithACount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rates := eventlogtest.Rates{}
		if rapid.Bool().Draw(t, "storm") {
			rates = eventlogtest.Stormy
		}
		m := eventlogtest.New(eventlogtest.Config{Choose: eventlogtest.Seeded(rapid.Uint64().Draw(t, "seed")), Rates: rates})
		names := []string{"a", "b", "c"}
		limits := []int64{1500, 4000, 0}
		var log *eventlog.Log
		var acc *account
		var kept []holdings
		writer := uint64(0)
		open := func() bool {
			writer++
			acc = newAccount(time.Now)
			for i, name := range names {
				acc.allow(name, QuotaConfig{Events: EventQuota{Held: yamldoc.Bytes(limits[i])}})
			}
			m.Set(func(c *eventlogtest.Config) { c.Rates = eventlogtest.Rates{} })
			defer m.Set(func(c *eventlogtest.Config) { c.Rates = rates })
			var err error
			log, err = eventlog.OpenStore(t.Context(), m.Node().Store(0), eventlog.Config{Writer: writer, Meter: acc, DedupRecords: 8})
			if err != nil {
				return false // the servers lost what they had acknowledged
			}
			require.NoError(t, log.Claim(t.Context(), "n", writer))
			if n := len(kept); n > 0 {
				acc.restore("a", kept[rapid.IntRange(0, n-1).Draw(t, "snapshot")])
			}
			from := rapid.Uint64Range(log.First().Frame, log.Tail().Frame+1).Draw(t, "replay")
			if from <= log.Tail().Frame && rapid.Bool().Draw(t, "replays") {
				require.NoError(t, log.Read(t.Context(), eventlog.Position{Frame: from}, func(f *eventlog.Frame) error { acc.seen(f); return nil }))
			}
			require.NoError(t, acc.catchUp(t.Context(), log))
			return true
		}
		check := func() {
			m.Set(func(c *eventlogtest.Config) { c.Rates = eventlogtest.Rates{} })
			defer m.Set(func(c *eventlogtest.Config) { c.Rates = rates })
			count := countHeld(t, log)
			for i, name := range names {
				assert.Equal(t, count[name], acc.events(name), name)
				if rates == (eventlogtest.Rates{}) && limits[i] > 0 {
					assert.LessOrEqual(t, count[name], limits[i], name)
				}
			}
		}
		require.True(t, open())
		check()
		id := 0
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 6).Draw(t, "step") {
			case 0, 1, 2:
				var recs []eventlog.Record
				for range rapid.IntRange(1, 4).Draw(t, "records") {
					id++
					one := max(id-rapid.IntRange(0, 5).Draw(t, "back"), 1)
					name := names[one%len(names)]
					recs = append(recs, eventlog.Record{
						Kind: eventlog.Event, Tenant: name, Dedup: eventlog.DedupKeyOf(name, "/s", strconv.Itoa(one)), Body: make([]byte, 100+one%50),
					})
				}
				_, err := log.Committer().Submit(recs)
				require.NoError(t, err)
			case 3:
				if _, err := log.Committer().Step(t.Context()); err != nil && !open() {
					return
				}
			case 4:
				kept = append(kept, acc.capture("a"))
			case 5:
				m.Set(func(c *eventlogtest.Config) { c.Rates = eventlogtest.Rates{} })
				first := eventlog.Position{Frame: rapid.Uint64Range(0, log.Tail().Frame+1).Draw(t, "release")}
				require.NoError(t, log.Release(t.Context(), first, 0))
				require.NoError(t, acc.trim(t.Context(), log))
				m.Set(func(c *eventlogtest.Config) { c.Rates = rates })
			case 6:
				m.Crash()
				if !open() {
					return
				}
				check()
			}
		}
		m.Crash()
		if open() {
			check()
		}
	})
}

// quotaApp is an app with rules that keep state and emit, and quotas.
func quotaApp(t *testing.T, quotas string, more map[string]string) *testApp {
	files := map[string]string{
		"rhost.yaml": "retention: {age: off, bytes: off}\nquotas: " + quotas + "\n",
		"rules/r.yaml": `
rule: keep
when: type == "keep"
do: [{id: put, run: put, with: {key: "${event.data.k}", size: "${event.data.n}", where: "${event.data.where}"}}]
---
rule: say
when: type == "say"
do: [{id: out, emit: {type: said, data: {text: "${event.data.text}"}}}]
---
rule: hear
when: type == "said"
`,
		"plugins/put.lua": `
function invoke(call)
  local d = call.with
  if d.where == "kv" then
    assert(rhost.kv.set(d.key, ("x"):rep(d.size), 60000))
  elseif d.size == 0 then
    assert(rhost.state.delete(d.key))
  else
    assert(rhost.state.set(d.key, ("x"):rep(d.size)))
  end
end`,
	}
	maps.Copy(files, more)
	return newApp(t, files)
}

func (l *liveHost) quota() QuotaSummary {
	l.t.Helper()
	raw, err := l.api().Status(l.t.Context())
	require.NoError(l.t, err)
	var s Summary
	require.NoError(l.t, json.Unmarshal(raw, &s))
	require.NotNil(l.t, s.Quota)
	return *s.Quota
}

// recounted holds the account to a count of the log and of what is kept.
func (l *liveHost) recounted() {
	l.t.Helper()
	q := l.quota()
	assert.Equal(l.t, countHeld(l.t, l.log)["default"], q.Events)
	var kept int64
	l.state.mu.RLock()
	for key, v := range l.state.values.base {
		kept += v.held(key)
	}
	for key, v := range l.state.kv.values.base {
		kept += v.held(key)
	}
	l.state.mu.RUnlock()
	assert.Equal(l.t, kept, q.State)
}

func sized(n, size int) event.Event {
	return ev("t", n, fmt.Sprintf(`{"pad":%q}`, strings.Repeat("x", size)))
}

// A tenant that holds all it may is refused, by the API with a problem that says
// what, how much and what to do; what it sent before is still recognised, and after
// retention there is room again.
func TestHeldQuotaRefusesTheTenant(t *testing.T) {
	app := quotaApp(t, "{events: {held: 64KiB}}", nil)
	l := app.open()
	l.runCore()
	h := api.New(l.api(), api.Options{Local: true})
	post := func(e event.Event) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/events", strings.NewReader(string(e.AppendJSON(nil))))
		r.Header.Set("Content-Type", "application/cloudevents+json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	n := 0
	for ; ; n++ {
		require.Less(t, n, 100, "nothing is refused")
		w := post(sized(n, 5000))
		if w.Code == http.StatusAccepted {
			continue
		}
		require.Equal(t, http.StatusTooManyRequests, w.Code, w.Body)
		assert.Equal(t, "60", w.Header().Get("Retry-After"))
		assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
		var p struct {
			Status               int
			Tenant, Quota, Title string
			Used, Limit          int64
			Detail               string
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p), w.Body)
		assert.Equal(t, []any{429, "default", "events.held", "Too Many Requests"}, []any{p.Status, p.Tenant, p.Quota, p.Title})
		assert.Equal(t, []int64{countHeld(t, l.log)["default"], 64 << 10}, []int64{p.Used, p.Limit})
		assert.Contains(t, p.Detail, "raise quotas.events.held in rhost.yaml")
		break
	}
	assert.Equal(t, http.StatusAccepted, post(sized(0, 5000)).Code, "it is on disk already")
	assert.Equal(t, http.StatusAccepted, post(sized(900, 10)).Code, "this one fits")
	q := l.quota()
	assert.Equal(t, []any{quotaHeld, map[string]uint64{quotaHeld: 1}}, []any{q.Full, q.Refused})
	l.settle()
	l.recounted()

	l.end()
	l.stop()
	l = app.open()
	l.runCore()
	l.recounted()
	h = api.New(l.api(), api.Options{Local: true})
	assert.Equal(t, http.StatusTooManyRequests, post(sized(n, 5000)).Code, "also after a restart")
	assert.Equal(t, http.StatusAccepted, post(sized(1, 5000)).Code, "which recognises what was accepted before it")

	k := l.keeper()
	k.config = RetentionConfig{Age: keepAge(time.Nanosecond), Bytes: -1}
	for range keptSnapshots + 2 { // nothing happens, but for those who are refused
		post(sized(n, 5000))
		require.NoError(t, k.once(t.Context()))
	}
	assert.Less(t, l.quota().Events, int64(64<<10), "the window of duplicates keeps some")
	l.recounted()
}

// What many send at once is let in to the byte and no further.
func TestHeldQuotaIsExactUnderConcurrency(t *testing.T) {
	app := quotaApp(t, "{events: {held: 100KiB}}", nil)
	l := app.open()
	l.runCore()
	var g errgroup.Group
	var mu sync.Mutex
	accepted, refused := 0, 0
	for w := range 8 {
		g.Go(func() error {
			for i := range 60 {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				if i%5 == 0 { // the caller goes while the frame is written
					ctx, cancel = context.WithTimeout(t.Context(), time.Duration(i)*20*time.Microsecond)
				}
				err := l.api().Submit(ctx, []event.Event{sized(w*1000+i, 300)})
				cancel()
				var full *api.QuotaError
				mu.Lock()
				switch {
				case err == nil:
					accepted++
				case assert.True(t, ctx.Err() != nil || errors.As(err, &full), err):
					refused++
				}
				mu.Unlock()
			}
			return nil
		})
	}
	require.NoError(t, g.Wait())
	l.settle()
	count := countHeld(t, l.log)["default"]
	assert.LessOrEqual(t, count, int64(100<<10))
	assert.Greater(t, count, int64(99<<10), "nothing is kept back either")
	assert.Positive(t, refused)
	l.recounted()
}

// A source waits, shows that it does, and goes on by itself; a webhook says so to
// the other side.
func TestQuotaHoldsSourcesBack(t *testing.T) {
	app := quotaApp(t, "{events: {held: 3KiB}}", map[string]string{
		"rhost.yaml": "retention: {age: off, bytes: off}\nquotas: {events: {held: 3KiB}}\nsources:\n  log: {files: {path: in.ndjson, from: start}}\n  hook: {webhook: {type: hooked}}\n",
	})
	line := func(n int) string { e := sized(n, 1000); return string(e.AppendJSON(nil)) + "\n" }
	app.write("in.ndjson", line(1))
	l := app.start()
	state := func(name string) connect.Status {
		for _, s := range l.sources.summary() {
			if s.Name == name {
				return s.Status
			}
		}
		return connect.Status{}
	}
	require.Eventually(t, func() bool { return state("log").Events == 1 }, patience, time.Millisecond)
	l.send(sized(2, 1000))
	f, err := os.OpenFile(filepath.Join(app.dir, "in.ndjson"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(line(3))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Eventually(t, func() bool { return state("log").State == connect.StateHeld }, patience, time.Millisecond)
	assert.Contains(t, state("log").Error, "quota events.held of 3 KiB is reached")

	hook, ok := l.api().Hook("hook")
	require.True(t, ok)
	w := httptest.NewRecorder()
	hook.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/hook", strings.NewReader(`{"pad":"`+strings.Repeat("x", 1000)+`"}`)))
	assert.Equal(t, http.StatusTooManyRequests, w.Code)
	assert.Equal(t, "60", w.Header().Get("Retry-After"))
	assert.Contains(t, w.Body.String(), "quota events.held")

	l.account.allow("default", QuotaConfig{})
	require.Eventually(t, func() bool { return state("log").Events == 2 }, patience, time.Millisecond)
	assert.Equal(t, connect.StateRunning, state("log").State)
	assert.Empty(t, state("log").Error)
	l.settle()
	assert.Equal(t, 1, l.eventIDs()["t-3"], "nothing is lost, and nothing comes twice")
	l.recounted()
}

func TestRateQuota(t *testing.T) {
	app := quotaApp(t, "{events: {rate: 1KiB/s, burst: 4KiB}}", nil)
	l := app.open()
	l.runCore()
	require.NoError(t, l.api().Submit(t.Context(), []event.Event{sized(1, 3000)}), "a burst")
	err := l.api().Submit(t.Context(), []event.Event{sized(2, 3000)})
	var full *api.QuotaError
	require.ErrorAs(t, err, &full)
	assert.Equal(t, quotaRate, full.Quota)
	assert.EqualValues(t, 1<<10, full.Limit)
	assert.InDelta(t, 2, full.RetryAfter.Seconds(), 1.5)
	assert.Contains(t, err.Error(), "send more slowly")

	began := time.Now()
	require.NoError(t, intake{l.admit, "feed"}.Submit(t.Context(), connect.Batch{Events: []event.Event{sized(2, 3000)}}), "a source waits its turn")
	assert.Greater(t, time.Since(began), time.Second/2)
	l.settle()
	l.recounted()
}

// An event that a step emits has its room before the step succeeds. Without, the
// step fails, by a dead letter that names the quota, and can be redriven.
func TestQuotaRefusesEmittedEvents(t *testing.T) {
	app := quotaApp(t, "{events: {held: 12KiB}}", nil)
	l := app.open()
	l.runCore()
	say := func(n, size int) event.Event {
		return ev("say", n, fmt.Sprintf(`{"text":%q}`, strings.Repeat("x", size)))
	}
	l.send(say(1, 1000))
	l.settle()
	require.Empty(t, l.letters())
	l.send(say(2, 6000))
	l.settle()
	letters := l.letters()
	require.Len(t, letters, 1)
	assert.Contains(t, letters[0].Reason, "out: tenant default: quota events.held of 12 KiB is reached")
	assert.Contains(t, string(letters[0].Detail), `"quota"`, "its kind")
	l.recounted()

	l.end()
	l.stop()
	l = app.open()
	l.account.allow("default", QuotaConfig{})
	l.runCore()
	require.NoError(t, l.api().Redrive(t.Context(), letters[0].ID))
	l.settle()
	assert.Empty(t, l.letters())
	heard := 0
	for _, m := range decodeAll[struct{ Rule string }](t, l.matches()) {
		if m.Rule == "hear" {
			heard++
		}
	}
	assert.Equal(t, 2, heard)
	l.recounted()
}

// State that does not fit fails the step that writes it, and changes nothing; what is
// deleted or over gives its room back.
func TestStateQuota(t *testing.T) {
	app := quotaApp(t, "{state: 4KiB}", nil)
	l := app.open()
	l.runCore()
	n := 0
	keep := func(key string, size int, in string) {
		n++
		e := ev("keep", n, fmt.Sprintf(`{"k":%q,"n":%d,"where":%q}`, key, size, in))
		l.send(e)
		l.settle()
	}
	keep("a", 2000, "state")
	keep("b", 1000, "kv")
	assert.Empty(t, l.letters())
	keep("c", 2000, "state")
	letters := l.letters()
	require.Len(t, letters, 1)
	assert.Contains(t, letters[0].Reason, "put: tenant default: quota state of 4 KiB is reached")
	assert.NotContains(t, l.values(), "c")
	keep("a", 2100, "state")
	assert.Len(t, l.letters(), 1, "what replaces something counts the difference")
	l.recounted()

	l.end()
	l.stop()
	l = app.open()
	l.runCore()
	l.recounted()
	keep("c", 2000, "state")
	assert.Len(t, l.letters(), 2)
	keep("a", 0, "state")
	keep("c", 2000, "state")
	assert.Len(t, l.letters(), 2)
	assert.Contains(t, l.values(), "c")
	l.recounted()

	n += 120 // two minutes of the events' time: b is over
	keep("d", 1500, "state")
	assert.Contains(t, l.values(), "d", "what is over makes room")
	l.recounted()
}

// Large payloads of matches are kept beside the log, and count.
func TestPayloadsCount(t *testing.T) {
	app := quotaApp(t, "{}", map[string]string{"rules/big.yaml": "rule: big\nwhen: type == \"t\"\ndo: [{run: put, with: {key: k, size: 1, where: state}}]\n"})
	l := app.open()
	l.runCore()
	l.send(sized(1, maxPayload+1000))
	l.settle()
	want := l.quota().Payloads
	assert.Greater(t, want, int64(maxPayload))
	for _, how := range []string{"from RUN", "from a snapshot"} {
		if how == "from a snapshot" {
			require.NoError(t, l.lane.snapshotNow(t.Context()))
		}
		l.end()
		l.stop()
		l = app.open()
		l.runCore()
		assert.Equal(t, want, l.quota().Payloads, how)
		l.recounted()
	}
	list, _, err := l.log.Blobs(t.Context())
	require.NoError(t, err)
	for _, digest := range list {
		if b, err := l.log.GetBlob(t.Context(), digest); err == nil && int64(len(b)) == want {
			require.NoError(t, l.blobs.drop(t.Context(), digest, eventlog.AnyBlob))
		}
	}
	assert.Zero(t, l.quota().Payloads, "what the sweep removes is given back")
}

func TestQuotaConfig(t *testing.T) {
	for text, want := range map[string]string{
		"{events: {burst: 1MiB}}":        "quotas.events.burst: it says how far events may be ahead of rate; set quotas.events.rate as well",
		"{events: {rate: 5MB}}":          `"5MB" is no number of bytes a second; write one such as 5MB/s`,
		"{events: {rate: 5/s, hold: 1}}": "hold: unknown key; did you mean held?",
	} {
		app := newApp(t, map[string]string{"rhost.yaml": "quotas: " + text + "\n"})
		_, err := ReadConfig(app.dir, nil)
		assert.ErrorContains(t, err, want)
	}
	app := newApp(t, map[string]string{"rhost.yaml": "quotas: {events: {rate: 5MB/s, burst: 20MB, held: 2GiB}, state: 64MiB}\n"})
	c, err := ReadConfig(app.dir, nil)
	require.NoError(t, err)
	assert.Equal(t, QuotaConfig{Events: EventQuota{Rate: 5e6, Burst: 20e6, Held: 2 << 30}, State: 64 << 20}, c.Quotas)
}
