package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/workflow"
)

// callRule calls plugin p for each event of type go.
const callRule = "rule: call\nwhen: type == \"go\"\ndo:\n  - {run: p}\n"

// outs are those of the steps that succeeded, by event.
func (l *liveHost) outs() []string {
	l.t.Helper()
	var list []string
	for _, a := range l.actions(api.Query{}) {
		if a.Step != "" && a.Status == "ok" {
			list = append(list, string(a.Out))
		}
	}
	return list
}

// TestKV keeps bytes from call to call and over a restart, and drops them when
// their time has come.
func TestKV(t *testing.T) {
	a := newApp(t, map[string]string{"rules/r.yaml": callRule, "plugins/p.lua": `
function invoke(call)
  local d = call.event.data
  if d.put then assert(rhost.kv.set("k", "\255" .. d.put, d.ttl)) end
  if d.drop then rhost.kv.delete("k") end
  local v, why = rhost.kv.get("k")
  return {v and v:sub(2) or why, v and #v}
end`})
	l := a.start()
	l.send(ev("go", 1, `{"put":"one","ttl":10000}`))
	l.settle()
	l.send(ev("go", 5, `{}`))
	l.settle()
	assert.Equal(t, []string{`["one",4]`, `["one",4]`}, l.outs())
	l.stop()

	l = a.start()
	l.send(ev("go", 10, `{}`))
	l.settle()
	l.send(ev("go", 11, `{}`))
	l.settle()
	l.send(ev("go", 12, `{"put":"two"}`))
	l.settle()
	l.send(ev("go", 900, `{}`))
	l.settle()
	l.send(ev("go", 901, `{"drop":true}`))
	l.settle()
	assert.Equal(t, []string{`["one",4]`, `["not_found"]`, `["two",4]`, `["two",4]`, `["not_found"]`}, l.outs()[2:])
}

func TestKVSweep(t *testing.T) {
	k := newKV()
	for i := range 3 * sweepAfter {
		k.get("x", testDay.Add(time.Duration(i)*time.Second))
		k.set(fmt.Sprint(i), []byte("v"), testDay.Add(time.Duration(i+10)*time.Second))
	}
	assert.Less(t, k.values.len(), 2*sweepAfter, "what is over does not stay")
	_, ok := k.get(fmt.Sprint(3*sweepAfter-1), testDay)
	assert.True(t, ok)
}

// TestHTTP makes requests: within what the operator allows, with keys that do
// not change from attempt to attempt.
func TestHTTP(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Method+" "+r.URL.Path+" "+string(body)+" "+r.Header.Get("Idempotency-Key"))
		w.Header().Add("X-Two", "a")
		w.Header().Add("X-Two", "b")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "short and stout") //nolint:errcheck // a test's server
	}))
	t.Cleanup(srv.Close)
	where := strings.TrimPrefix(srv.URL, "http://")
	plugin := `
function invoke(call)
  local base = "http://` + where + `"
  local r, why = rhost.http{url = base .. "/one", body = {n = 1}}
  if not r then return {why, rhost.has("http")} end
  rhost.http{url = base .. "/two"}
  if call.attempt == 1 then rhost.retry("again") end
  local _, other = rhost.http{url = "http://other.example/"}
  return {r.status, r.headers["x-two"], r.body, other, rhost.has("http")}
end`
	retry := "rule: call\nwhen: type == \"go\"\ndo:\n  - {run: p, retry: {max: 3, backoff: 1ms}}\n"
	conf := "egress: {hosts: ['" + where + "', other.example]}\nplugins:\n  p: {grant: [http], http: {hosts: ['" + where + "']}}\n"
	a := newApp(t, map[string]string{"rules/r.yaml": retry, "plugins/p.lua": plugin, "rhost.yaml": conf})
	l := a.start()
	l.send(ev("go", 1, `{}`))
	l.settle()
	assert.Equal(t, []string{`[418,"a, b","short and stout","denied",true]`}, l.outs())
	require.Len(t, seen, 4)
	assert.Equal(t, seen[:2], seen[2:], "both attempts name their requests alike")
	assert.Contains(t, seen[0], `POST /one {"n":1} `)
	assert.NotEqual(t, seen[0][len(seen[0])-32:], seen[1][len(seen[1])-32:])
	l.stop()

	a.write("rhost.yaml", "egress: {hosts: ['"+where+"']}\n")
	l = a.start()
	l.send(ev("go", 2, `{}`))
	l.settle()
	assert.Equal(t, `["denied",null,"denied"]`, l.outs()[1], "http needs to be granted by name")
}

// TestSecrets hands out secrets by reference and keeps them out of logs.
func TestSecrets(t *testing.T) {
	t.Setenv("RHOST_TEST_TOKEN", "t0k3n-value")
	a := newApp(t, map[string]string{"rules/r.yaml": callRule, "key.txt": "k3y-value\n", "plugins/p.lua": `
function invoke(call)
  local token, key = rhost.secret("token"), rhost.secret("key")
  rhost.info("using " .. token .. " and " .. key)
  if call.event.data.fail then rhost.fail("not with " .. key) end
  return {#token, #key, rhost.secret("none")}
end`, "rhost.yaml": "plugins:\n  p:\n    grant: [secret]\n    secrets: {token: {env: RHOST_TEST_TOKEN}, key: {file: key.txt}}\n"})
	var log bytes.Buffer
	l := a.start(func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	l.send(ev("go", 1, `{}`), ev("go", 2, `{"fail":true}`))
	l.settle()
	assert.Equal(t, []string{`[11,9,null,"not_found"]`}, l.outs())
	letters := l.letters()
	require.Len(t, letters, 1)
	text, err := json.Marshal(letters)
	require.NoError(t, err)
	assert.Contains(t, string(text), "not with [secret key]")
	l.stop()
	assert.Contains(t, log.String(), "using [secret token] and [secret key]")
	assert.NotContains(t, log.String(), "k3y-value")
	assert.NotContains(t, log.String(), "t0k3n-value")

	a.write("rhost.yaml", "plugins:\n  p: {grant: [secret], secrets: {token: {env: RHOST_NO_SUCH_TOKEN}}}\n")
	_, err = New(t.Context(), Options{App: a.dir, Data: a.data, Listen: "off"})
	assert.ErrorContains(t, err, "rhost.yaml:2:6: plugins.p.secrets.token: the environment variable RHOST_NO_SUCH_TOKEN is not set")
}

// TestRecordedCalls keeps what a plugin was told with its result.
func TestRecordedCalls(t *testing.T) {
	a := newApp(t, map[string]string{"rules/r.yaml": callRule, "plugins/p.lua": `
function invoke(call) rhost.kv.get("k") rhost.emit("out", {}) end`, "rhost.yaml": "plugins:\n  p: {record: calls}\n"})
	l := a.start()
	l.send(ev("go", 1, `{}`))
	l.settle()
	var calls string
	require.NoError(t, replayRun(t.Context(), l.log, 0, func(_ uint64, recs []eventlog.RunRecord) error {
		for i := range recs {
			if recs[i].Kind != runFlow {
				continue
			}
			rec, err := workflow.DecodeRecord(recs[i].Body)
			require.NoError(t, err)
			if rec.Succeeded != nil {
				calls = string(rec.Succeeded.Calls)
			}
		}
		return nil
	}))
	assert.Contains(t, calls, `"func":"kv_get"`)
	assert.Contains(t, calls, `"seq":2,"func":"emit"`)
}
