package workflow_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host/workflow"
)

func TestParse(t *testing.T) {
	def := mustParse(t, `
do:
  - run: lock-account
    with: {user: "${match.user}"}
    retry: {max: 3, backoff: 200ms..10s, factor: 3, jitter: none, on: [timeout, fuel], within: 1d}
    timeout: 5s
    undo: {run: unlock-account, retry: {max: 10}, timeout: 1m}
  - notify: ops
  - notify: "alerts-${match.user}"
  - id: tell
    http: {url: "https://example.com/", headers: {A: b}}
  - file: {copy: {from: a, to: b}}
  - run: lock-account
on_failure:
  - notify: ops
`)
	lock := def.Steps()[0]
	assert.Equal(t, workflow.Retry{
		Max: 3, Min: 200 * time.Millisecond, Cap: 10 * time.Second, Factor: 3, Jitter: workflow.JitterNone,
		On: []workflow.FailureKind{workflow.FailTimeout, workflow.FailFuel}, Within: 24 * time.Hour,
	}, lock.Retry)
	assert.Equal(t, 5*time.Second, lock.Timeout)
	assert.Equal(t, "unlock-account", lock.Undo.Plugin)
	assert.Equal(t, workflow.Retry{
		Max: 10, Min: 200 * time.Millisecond, Cap: 10 * time.Second, Factor: 2, Jitter: workflow.JitterFull,
	}, lock.Undo.Retry, "what a retry does not say has defaults")
	assert.Equal(t, time.Minute, lock.Undo.Timeout)

	var ids []string
	for _, s := range def.Steps() {
		ids = append(ids, s.ID)
	}
	assert.Equal(t, []string{"lock-account", "notify", "notify-2", "tell", "file", "lock-account-2"}, ids)
	assert.Equal(t, "notify-3", def.OnFailure()[0].ID)
	assert.Equal(t, workflow.DefaultTimeout, def.Steps()[3].Timeout)
	assert.Zero(t, def.Steps()[3].Retry)
	assert.Equal(t, []string{"lock-account", "unlock-account"}, def.Plugins())
}

func TestParseNothing(t *testing.T) {
	def, err := workflow.Parse(nil, nil, paths{})
	require.NoError(t, err)
	assert.Empty(t, def.Steps())
}

// An id that a step gives itself wins over one made up for a step before it.
func TestParseKeepsClearOfGivenIDs(t *testing.T) {
	def := mustParse(t, "do:\n  - run: p\n  - {run: q, id: p}\n")
	assert.Equal(t, "p-2", def.Steps()[0].ID)
	assert.Equal(t, "p", def.Steps()[1].ID)
}

func TestDigest(t *testing.T) {
	a := mustParse(t, "do:\n  - run: p # comment\n    with: {x: 1, y: 2}\n")
	b := mustParse(t, "do: [{with: {y: 2, x: 1}, run: p}]\n")
	c := mustParse(t, "do: [{with: {y: 2, x: 2}, run: p}]\n")
	d := mustParse(t, "on_failure: [{with: {y: 2, x: 1}, run: p}]\n")
	assert.Equal(t, a.Digest(), b.Digest(), "layout does not count")
	assert.NotEqual(t, a.Digest(), c.Digest())
	assert.NotEqual(t, b.Digest(), d.Digest())
	assert.Regexp(t, `^sha256:[0-9a-f]{64}$`, a.Digest())
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"not a list", "do: {run: p}", "rule.yaml:1:5: do: the steps must be a list; write a list, one \"- run: plugin\" a step"},
		{"empty", "do: []", "rule.yaml:1:5: do: the list of steps is empty; add a step or remove the key"},
		{"null", "do:", "rule.yaml:1:1: do: the steps must be a list; write a list, one \"- run: plugin\" a step"},
		{"not a map", "do: [p]", "rule.yaml:1:6: a step must be a map; write one of run, emit, notify, http, file and its value"},
		{"nothing", "do: [{id: x}]", "rule.yaml:1:6: the step does nothing; add one of run, emit, notify, http, file"},
		{"two actions", "do: [{run: p, notify: t}]", "rule.yaml:1:15: notify: the step does run already; make it a step of its own"},
		{"later step", "do: [{wait: 5m}]", "rule.yaml:1:7: wait: not supported yet; remove it; this release knows run, emit, notify, http and file, in order"},
		{"later key", "do: [{run: p, needs: [a]}]", "rule.yaml:1:15: needs: not supported yet; remove it; this release knows run, emit, notify, http and file, in order"},
		{"unknown key", "do: [{run: p, retries: 5}]", "rule.yaml:1:15: retries: unknown key; known keys are id, retry, run, timeout, undo, with"},
		{"with on emit", "do: [{emit: {type: a}, with: {}}]", "rule.yaml:1:24: with: unknown key; known keys are emit, id, undo"},
		{"retry on notify", "do: [{notify: a, retry: {max: 1}}]", "rule.yaml:1:18: retry: unknown key; known keys are id, notify, undo, with"},
		{"plugin version", "do: [{run: p@v2}]", "rule.yaml:1:12: run: a plugin version (p@v2) is not supported yet; write p alone, which runs its current version"},
		{"plugin name", "do: [{run: ../p}]", "rule.yaml:1:12: run: \"../p\" is no plugin name; use the name of a file or folder under plugins/, without its ending"},
		{"plugin not text", "do: [{run: [p]}]", "rule.yaml:1:12: run: must be the name of a plugin; write the plugin's name: run: lock-account"},
		{"with not a map", "do: [{run: p, with: 5}]", "rule.yaml:1:21: with: must be a map; write with: {name: value}"},
		{"bad id", "do: [{run: p, id: 'a b'}]", "rule.yaml:1:19: id: \"a b\" is no step id; use letters, digits, '-' and '_', a letter first, at most 64 of them"},
		{"id twice", "do: [{run: p, id: a}, {run: q, id: a}]", "rule.yaml:1:36: id: \"a\" is the id of the step at rule.yaml:1:19 too; give each step an id of its own"},
		{"id twice, once late", "do: [{run: p, id: a}]\non_failure: [{run: q, id: a}]", "rule.yaml:2:27: id: \"a\" is the id of the step at rule.yaml:1:19 too; give each step an id of its own"},
		{"undo id", "do: [{run: p, undo: {run: q, id: x}}]", "rule.yaml:1:30: id: unknown key; known keys are retry, run, timeout, with"},
		{"undo of undo", "do: [{run: p, undo: {run: q, undo: {run: r}}}]", "rule.yaml:1:30: undo: unknown key; known keys are retry, run, timeout, with"},
		{"undo none", "do: [{run: p, undo: none}]", "rule.yaml:1:21: undo: only file steps have an undo that can be turned off; remove it"},
		{"undo in on_failure", "on_failure: [{run: p, undo: {run: q}}]", "rule.yaml:1:29: undo: steps of on_failure are never undone; remove it"},
		{"no max", "do: [{run: p, retry: {backoff: 1s}}]", "rule.yaml:1:22: max: retry needs max; say how many attempts may follow the first: max: 3"},
		{"retry not a map", "do: [{run: p, retry: 3}]", "rule.yaml:1:22: retry: must be a map; write retry: {max: 3, backoff: 200ms..10s}"},
		{"max", "do: [{run: p, retry: {max: 1.5}}]", "rule.yaml:1:28: max: \"1.5\" is no number that fits here; write a number from 1 to 1000"},
		{"backoff", "do: [{run: p, retry: {max: 1, backoff: 10s..1s}}]", "rule.yaml:1:40: backoff: \"10s..1s\" is no range of waits; write the shortest and the longest wait: backoff: 200ms..10s (at most 7d)"},
		{"backoff number", "do: [{run: p, retry: {max: 1, backoff: 5}}]", "rule.yaml:1:40: backoff: \"5\" is no range of waits; write the shortest and the longest wait: backoff: 200ms..10s (at most 7d)"},
		{"factor", "do: [{run: p, retry: {max: 1, factor: 0.5}}]", "rule.yaml:1:39: factor: \"0.5\" is no number that fits here; write a number from 1 to 100"},
		{"jitter", "do: [{run: p, retry: {max: 1, jitter: half}}]", "rule.yaml:1:39: jitter: \"half\" is no jitter; write full or none"},
		{"on", "do: [{run: p, retry: {max: 1, on: [timeot]}}]", "rule.yaml:1:36: on: \"timeot\" is no kind of failure; did you mean timeout?"},
		{"on not a list", "do: [{run: p, retry: {max: 1, on: timeout}}]", "rule.yaml:1:35: on: must be a list of kinds of failure; write on: [timeout, unavailable]"},
		{"within", "do: [{run: p, retry: {max: 1, within: 1y}}]", "rule.yaml:1:39: within: \"1y\" is no time that fits here; write a time from 1ms to 30d, such as 30s"},
		{"timeout", "do: [{run: p, timeout: 0s}]", "rule.yaml:1:24: timeout: \"0s\" is no time that fits here; write a time from 1ms to 1h, such as 30s"},
		{"emit without type", "do: [{emit: {data: {}}}]", "rule.yaml:1:13: type: emit needs type; add type"},
		{"emit not a map", "do: [{emit: a.b}]", "rule.yaml:1:13: emit: must be a map; the keys are type, data, subject"},
		{"emit reserved", "do: [{emit: {type: rhost.x}}]", "rule.yaml:1:20: emit: type \"rhost.x\" is reserved for the host; give it another prefix than \"rhost.\""},
		{"emit subject", "do: [{emit: {type: a, subject: 5}}]", "rule.yaml:1:32: subject: must be text; put it in quotes"},
		{"notify reserved", "do: [{notify: 'executions:x'}]", "rule.yaml:1:15: notify: topic \"executions:x\" is reserved for the host; use another name"},
		{"notify empty", "do: [{notify: ''}]", "rule.yaml:1:15: notify: the name is empty"},
		{"http url", "do: [{http: {url: 'ftp://x/'}}]", "rule.yaml:1:19: url: \"ftp://x/\" is no address; write http:// or https:// and a host"},
		{"http method", "do: [{http: {url: 'http://x/', method: post}}]", "rule.yaml:1:40: method: \"post\" is no method; the methods are GET, HEAD, POST, PUT, PATCH, DELETE"},
		{"http headers", "do: [{http: {url: 'http://x/', headers: 5}}]", "rule.yaml:1:41: headers: must be a map; write headers: {Name: value}"},
		{"file operation", "do: [{file: {mov: {from: a, to: b}}}]", "rule.yaml:1:14: mov: unknown file operation; write one of copy: {from, to}, move: {from, to}, tag: {path, tags}, delete: {path}"},
		{"file two", "do: [{file: {copy: {from: a, to: b}, delete: {path: a}}}]", "rule.yaml:1:13: file: must be a map with one operation; write one of copy: {from, to}, move: {from, to}, tag: {path, tags}, delete: {path}"},
		{"file key", "do: [{file: {move: {from: a}}}]", "rule.yaml:1:20: to: move needs to; add to"},
		{"file path", "do: [{file: {delete: {path: ''}}}]", "rule.yaml:1:29: path: the path is empty; name a file inside a granted folder"},
		{"file tags", "do: [{file: {tag: {path: a, tags: b}}}]", "rule.yaml:1:35: tags: must be a map; write tags: {name: value}"},
		{"template", "do: [{run: p, with: {a: '${nope.x}'}}]", "rule.yaml:1:25: \"nope\" is not known; begin with match or steps"},
		{"own result", "do: [{run: p, with: {a: '${steps.p.out}'}}]", "rule.yaml:1:25: ${…} reads step \"p\", which has not run by then; no step has"},
		{"later result", "do: [{run: p}, {run: q, with: {a: '${steps.r.out}'}}, {run: r}]", "rule.yaml:1:35: ${…} reads step \"r\", which has not run by then; these have: p"},
		{"infinite", "do: [{run: p, with: {a: .inf}}]", "rule.yaml:1:25: .inf cannot be written as JSON; put it in quotes if it is text"},
		{"all of them", "do:\n  - {run: p, if: x}\n  - {rum: p}\n  - {run: q, timeout: x}\n", "rule.yaml:2:14: if: not supported yet; remove it; this release knows run, emit, notify, http and file, in order\n" +
			"rule.yaml:3:5: the step does nothing; add one of run, emit, notify, http, file\n" +
			"rule.yaml:4:23: timeout: \"x\" is no time that fits here; write a time from 1ms to 1h, such as 30s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parse(c.src)
			assert.EqualError(t, err, c.want)
		})
	}
}

// FuzzParse feeds Parse what a rule file may hold. It must answer, and name the
// same digest twice.
func FuzzParse(f *testing.F) {
	f.Add("do:\n  - run: p\n    with: {a: '${match.x}', b: [1, '${steps.p.out}']}\n    undo: {notify: t}\n")
	f.Add("do: [{http: {url: 'http://x/', body: {}}}]\non_failure: [{emit: {type: a}}]\n")
	f.Add("do: [{file: {tag: {path: a, tags: {}}}, undo: none, retry: {max: 1, backoff: 1s..2s}}]\n")
	f.Fuzz(func(t *testing.T, src string) {
		def, err := parse(src)
		if err != nil {
			return
		}
		again, err := parse(src)
		require.NoError(t, err)
		assert.Equal(t, def.Digest(), again.Digest())
	})
}
