package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
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

	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/sdk/client"
)

// killsEnv says how often TestKilledUnderLoad kills; without it 5 times, and 100
// times with RHOST_SOAK.
const killsEnv = "RHOST_KILLS"

// shopRules hold state (a sequence, a window by count, a cooldown) and act in the
// log (a counter by compare-and-set, an emitted event, a notification) and outside of
// it (a request).
const shopRules = `
rule: count
when: type == "order"
do:
  - {run: count, id: count, with: {key: orders}, retry: {max: 3, backoff: 1ms..5ms}}
  - emit: {type: counted, data: {of: "${event.id}"}}
    id: told
  - {notify: ops, id: said, with: {text: "${event.id}"}}
---
rule: tally
when: type == "counted"
do: [{run: count, id: count, with: {key: tallied}, retry: {max: 3, backoff: 1ms..5ms}}]
---
rule: outside
when: type == "order" && data.k < 3
do:
  - http: {method: POST, url: "ADDRESS", body: "${event.id}"}
    id: call
    retry: {max: 5, backoff: 5ms..50ms}
---
rule: pair
when: {pattern: a then b, by: data.k, define: {a: type == "order" && data.n % 7 == 0, b: type == "order" && data.n % 7 == 3}}
`

const shopCount = `
function invoke(call)
  local n, version = rhost.state.get(call.with.key)
  if n == nil then n, version = 0, 0 end
  if not rhost.state.cas(call.with.key, version, n + 1) then rhost.retry("another was quicker") end
  return {n = n + 1}
end`

// receiver is a service outside: it remembers every request by its key.
type receiver struct {
	mu    sync.Mutex
	calls map[string][]string // bodies by Idempotency-Key
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	key := req.Header.Get("Idempotency-Key")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls[key] = append(r.calls[key], string(body))
}

// shop is an app under load.
type shop struct {
	t         *testing.T
	app, data string
	out       *receiver

	mu    sync.Mutex
	acked map[string]bool // ids of events, guarded by mu
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, app: t.TempDir(), out: &receiver{calls: make(map[string][]string)}, acked: make(map[string]bool)}
	data, err := os.MkdirTemp("", "rhost") //nolint:usetesting // the path of the socket in it must be short
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(data)) })
	s.data = data
	srv := httptest.NewServer(s.out)
	t.Cleanup(srv.Close)
	files := map[string]string{
		// Snapshots are taken all the time, so that it is recovery from them that is killed.
		"rhost.yaml":        "listen: \"off\"\nretention: {replay: 1ms}\negress: {hosts: [\"" + strings.TrimPrefix(srv.URL, "http://") + "\"], private: [127.0.0.0/8]}\n",
		"rules/r.yaml":      strings.ReplaceAll(shopRules, "ADDRESS", srv.URL+"/orders"),
		"plugins/count.lua": shopCount,
	}
	for name, text := range files {
		full := filepath.Join(s.app, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
		require.NoError(t, os.WriteFile(full, []byte(text), 0o600))
	}
	return s
}

func (s *shop) run(data string) *process {
	return start(s.t, "run", s.app, "--data", data, "--json", "--set", "plugins.count.limits.deadline=1m")
}

// order is the n-th event.
func order(n int) (id string, event json.RawMessage) {
	id = fmt.Sprintf("o-%d", n)
	return id, fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"/shop","type":"order","data":{"n":%d,"k":%d}}`, id, n, n%5)
}

// load sends batches of orders until ctx ends, from several clients. A batch whose
// answer did not come is sent again, for as long as it takes.
func (s *shop) load(ctx context.Context, clients int) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for c := range clients {
		wg.Go(func() {
			for batch := 0; ctx.Err() == nil; batch++ {
				s.send(ctx, c+clients*batch)
			}
		})
	}
}

func (s *shop) send(ctx context.Context, batch int) {
	const size = 4
	var events []json.RawMessage
	var ids []string
	for i := range size {
		id, ev := order(batch*size + i)
		ids, events = append(ids, id), append(events, ev)
	}
	for ctx.Err() == nil {
		c, err := client.Dial(filepath.Join(s.data, host.SocketName))
		if err == nil {
			err = c.Submit(ctx, events...)
			c.Close()
		}
		if err == nil {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	if ctx.Err() != nil {
		return // nobody knows whether the batch is in
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		s.acked[id] = true
	}
}

// TestKilledUnderLoad kills a host with -9 at random moments, while it starts as well
// as while it works, and finds what the guarantee says: every acknowledged event
// processed, the matches those of an uninterrupted run over the same log, effects in
// the log exactly once, effects outside at least once and under one key.
func TestKilledUnderLoad(t *testing.T) {
	kills := 5
	if os.Getenv("RHOST_SOAK") != "" {
		kills = 100
	}
	if n, err := strconv.Atoi(os.Getenv(killsEnv)); err == nil {
		kills = n
	}
	if testing.Short() {
		t.Skip("starts the host many times")
	}
	s := newShop(t)
	ctx, stop := context.WithCancel(t.Context())
	var loading sync.WaitGroup
	loading.Go(func() { s.load(ctx, 3) })
	defer loading.Wait()
	defer stop()
	for i := range kills {
		p := s.run(s.data)
		if i%4 != 0 { // else it may be killed while it starts
			p.waitFor(`"match":{`)
		}
		time.Sleep(time.Duration(rand.IntN(250)) * time.Millisecond)
		p.kill()
	}
	p := s.run(s.data)
	p.waitFor(`"match":{`)
	stop()
	loading.Wait()
	s.quiet(s.data)
	p.interrupt()
	s.snapshots()
	s.check(kills)
}

// snapshots finds that several were taken.
func (s *shop) snapshots() {
	s.t.Helper()
	cut, err := eventlog.TakeCut(filepath.Join(s.data, "log"))
	require.NoError(s.t, err)
	newest := uint64(0)
	_, err = cut.Scan(s.t.Context(), "SNAP", 0, func(e *eventlog.Entry) error {
		newest = max(newest, e.Seq)
		return nil
	}, nil)
	require.NoError(s.t, err)
	assert.Greater(s.t, newest, uint64(2), "snapshots of a log that was always killed")
	s.t.Logf("%d snapshots", newest)
}

// quiet waits until nothing happens any more.
func (s *shop) quiet(data string) {
	s.t.Helper()
	was, since := -1, time.Now()
	require.Eventually(s.t, func() bool {
		n := len(readLines[json.RawMessage](s.t, "actions", "--data", data, "--json"))
		if n != was {
			was, since = n, time.Now()
		}
		return time.Since(since) > time.Second
	}, 5*time.Minute, 200*time.Millisecond, "the host does not come to rest")
}

// shopMatch is a line of rhost matches.
type shopMatch struct {
	ID   string              `json:"id"`
	Rule string              `json:"rule"`
	Bind map[string][]string `json:"bind"`
}

func (s *shop) check(kills int) {
	t := s.t
	t.Helper()
	byRule, of := make(map[string]map[string]int), make(map[string]int)
	for _, m := range readLines[shopMatch](t, "matches", "--data", s.data, "--json") {
		if byRule[m.Rule] == nil {
			byRule[m.Rule] = make(map[string]int)
		}
		byRule[m.Rule][m.ID]++
		assert.Equal(t, 1, byRule[m.Rule][m.ID], "match %s of %s is recorded twice", m.ID, m.Rule)
		if m.Rule == "count" {
			for _, ids := range m.Bind {
				of[ids[0]]++
			}
		}
	}
	for id := range s.acked {
		assert.Equal(t, 1, of[id], "%s was acknowledged", id)
	}
	orders := len(byRule["count"])
	assert.Len(t, byRule["tally"], orders, "every emitted event is there once")

	done, values := make(map[string]int), map[string]map[int]int{"count": {}, "tally": {}}
	for _, a := range actions(t, s.data) {
		if a.Status == "retry" {
			continue
		}
		assert.Contains(t, []string{"ok", "done"}, a.Status, "%s of %s: %s", a.Step, a.Match, a.Error)
		done[a.Rule+" "+a.Match+" "+a.Step]++
		if a.Step == "count" {
			var out struct{ N int }
			require.NoError(t, json.Unmarshal(a.Out, &out))
			values[a.Rule][out.N]++
		}
	}
	for what, n := range done {
		assert.Equal(t, 1, n, "%s is recorded %d times", what, n)
	}
	assert.Len(t, done, 4*orders+2*orders+2*len(byRule["outside"]), "every step and every end is recorded")
	for rule, seen := range values {
		assert.Len(t, seen, orders, "%s: every update of the counter is there", rule)
		for n := 1; n <= orders; n++ {
			assert.Equal(t, 1, seen[n], "%s: the counter was %d so often", rule, n)
		}
	}
	assert.Empty(t, readLines[json.RawMessage](t, "deadletters", "list", "--data", s.data, "--json"))
	requests := len(byRule["outside"])
	repeated := s.checkOutside(requests)
	s.checkUninterrupted(byRule)
	t.Logf("%d kills, %d events acknowledged, %d orders in the log, %d requests outside of which %d came more than once",
		kills, len(s.acked), orders, requests, repeated)
}

// checkOutside finds every request at least once, under one key of its own.
func (s *shop) checkOutside(want int) (repeated int) {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	assert.Len(s.t, s.out.calls, want, "every request has a key of its own")
	keyOf := make(map[string]string)
	for key, bodies := range s.out.calls {
		assert.NotEmpty(s.t, key)
		for _, body := range bodies {
			assert.Equal(s.t, bodies[0], body, "the same key is the same request")
		}
		assert.Empty(s.t, keyOf[bodies[0]], "order %s came under two keys", bodies[0])
		keyOf[bodies[0]] = key
		if len(bodies) > 1 {
			repeated++
		}
	}
	return repeated
}

// checkUninterrupted runs the same log through a host that nobody kills.
func (s *shop) checkUninterrupted(want map[string]map[string]int) {
	t := s.t
	t.Helper()
	data, err := os.MkdirTemp("", "rhost")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(data)) })
	cut, err := eventlog.TakeCut(filepath.Join(s.data, "log"))
	require.NoError(t, err)
	out, err := eventlog.NewRebuild(t.Context(), filepath.Join(data, "log"), nil, nil)
	require.NoError(t, err)
	index, err := cut.Blobs(t.Context(), nil)
	require.NoError(t, err)
	for _, digest := range index.Digests() {
		b, err := index.Get(digest)
		require.NoError(t, err)
		require.NoError(t, out.Blob(t.Context(), digest, b))
	}
	_, err = cut.Scan(t.Context(), "EV", 0, func(e *eventlog.Entry) error {
		return out.Frame(t.Context(), "EV", e.Seq, e.Body)
	}, nil)
	require.NoError(t, err)
	require.NoError(t, out.Finish(t.Context(), true))
	p := s.run(data)
	p.waitFor(`"ready"`)
	s.quiet(data)
	p.interrupt()
	got := make(map[string]map[string]int)
	for _, m := range readLines[shopMatch](t, "matches", "--data", data, "--json") {
		if got[m.Rule] == nil {
			got[m.Rule] = make(map[string]int)
		}
		got[m.Rule][m.ID]++
	}
	for rule := range want {
		assert.Equal(t, want[rule], got[rule], "matches of %s", rule)
	}
}
