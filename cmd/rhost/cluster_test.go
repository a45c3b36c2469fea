package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clusterApp matches every event, emits one for each, and counts to five.
var clusterApp = map[string]string{
	"secret": "what the nodes of this test share",
	"rules/all.yaml": `rule: each
when: {pattern: e, define: {e: type == "load.event"}}
do:
  - emit: {type: load.echo, data: {n: "${e.data.n}"}}
---
rule: echo
when: {pattern: e, define: {e: type == "load.echo"}}
---
rule: other
when: {pattern: e, define: {e: type == "load.other"}}
---
rule: five
when: {pattern: "e{5}", define: {e: type == "load.event"}, by: data.k, within: 24h, skip: past-last}
`,
}

// trio is three nodes of a cluster, each a process.
type trio struct {
	t     *testing.T
	args  [3][]string
	api   [3]string
	nodes [3]*process
}

func startTrio(t *testing.T) *trio {
	t.Helper()
	c := &trio{t: t}
	app, dir := t.TempDir(), t.TempDir()
	var peers []string
	for range c.args {
		peers = append(peers, unusedAddr(t))
	}
	files := map[string]string{
		"rhost.yaml": fmt.Sprintf("cluster: {name: test, node: a, listen: %s, peers: [%s], secret_file: secret}\n", peers[0], strings.Join(peers, ", ")),
	}
	for _, some := range []map[string]string{files, clusterApp} {
		for name, text := range some {
			full := filepath.Join(app, name)
			require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
			require.NoError(t, os.WriteFile(full, []byte(text), 0o600))
		}
	}
	for i := range c.args {
		name := string(rune('a' + i))
		c.api[i] = unusedAddr(t)
		c.args[i] = []string{
			"run", app, "--json", "--data", filepath.Join(dir, name), "--listen", c.api[i],
			"--set", "cluster.node=" + name, "--set", "cluster.listen=" + peers[i],
		}
		c.start(i)
	}
	for i := range c.nodes {
		c.nodes[i].waitFor(`"joined"`)
	}
	return c
}

func unusedAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is at once
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

func (c *trio) start(i int) { c.nodes[i] = start(c.t, c.args[i]...) }

func (c *trio) signal(i int, s os.Signal) {
	c.t.Helper()
	require.NoError(c.t, c.nodes[i].cmd.Process.Signal(s))
}

// owner waits for a node that owns the log, other than the one given.
func (c *trio) owner(not int) int {
	c.t.Helper()
	found := -1
	require.Eventually(c.t, func() bool {
		for i := range c.api {
			if i != not && !c.nodes[i].done && c.owns(i) {
				found = i
				return true
			}
		}
		return false
	}, time.Minute, 20*time.Millisecond, "nobody owns the log")
	return found
}

// owns asks a node whether the host runs there.
func (c *trio) owns(i int) bool {
	code, body := c.call(i, http.MethodGet, "/v1/status", "", nil)
	var s struct {
		Node string `json:"node"`
	}
	return code == http.StatusOK && json.Unmarshal(body, &s) == nil && s.Node == string(rune('a'+i))
}

// call makes a request of a node; code 0 stands for no answer.
func (c *trio) call(i int, method, path, contentType string, body []byte) (code int, answer []byte) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.api[i]+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil
	}
	req.Header.Set("Content-Type", contentType)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	answer, err = io.ReadAll(res.Body)
	if err != nil {
		return 0, nil
	}
	return res.StatusCode, answer
}

// load emits events through one node, through the next one when that does not accept
// them, and remembers what was acknowledged.
type load struct {
	c    *trio
	stop chan struct{}
	done chan struct{}

	mu    sync.Mutex
	acked []string      // guarded by mu
	gap   time.Duration // guarded by mu; the longest time without an ack
}

const loadBatch = 20

func (c *trio) load() *load {
	l := &load{c: c, stop: make(chan struct{}), done: make(chan struct{})}
	go l.run() // ends with halt
	return l
}

func (l *load) run() {
	defer close(l.done)
	last, node := time.Now(), 0
	for n := 0; ; n += loadBatch {
		var ids []string
		var events []map[string]any
		for i := range loadBatch {
			id := fmt.Sprint("e", n+i)
			ids = append(ids, id)
			events = append(events, map[string]any{
				"specversion": "1.0", "id": id, "source": "load", "type": "load.event", "data": map[string]any{"n": n + i, "k": 1},
			})
		}
		body, err := json.Marshal(events)
		if err != nil {
			panic(err) // maps of texts and numbers
		}
		for accepted := false; !accepted; {
			select {
			case <-l.stop:
				return
			default:
			}
			code, _ := l.c.call(node, http.MethodPost, "/v1/events", "application/cloudevents-batch+json", body)
			if accepted = code == http.StatusAccepted; !accepted {
				node = (node + 1) % len(l.c.api)
				time.Sleep(20 * time.Millisecond)
			}
		}
		l.mu.Lock()
		l.acked = append(l.acked, ids...)
		l.gap = max(l.gap, time.Since(last))
		l.mu.Unlock()
		last = time.Now()
		time.Sleep(5 * time.Millisecond)
	}
}

// quiet gives the longest time without an ack since it was last asked.
func (l *load) quiet() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	gap := l.gap
	l.gap = 0
	return gap
}

// more waits for more acks than there are.
func (l *load) more() {
	l.c.t.Helper()
	count := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.acked)
	}
	from := count()
	require.Eventually(l.c.t, func() bool { return count() > from+50*loadBatch }, time.Minute, 10*time.Millisecond, "nothing is accepted")
}

// halt ends the load and returns what was acknowledged.
func (l *load) halt() []string {
	close(l.stop)
	<-l.done
	return l.acked
}

// TestClusterTakesOver kills the owner with -9 and stops the next one, under load.
// Every event that was acknowledged is matched once, what matches emit comes once,
// and the owner that was stopped finds out that it is not the owner any more. In the
// long form (RHOST_SOAK=1) this goes on for ten minutes, or for RHOST_SOAK if that is a
// time.
func TestClusterTakesOver(t *testing.T) {
	if testing.Short() {
		t.Skip("leases take seconds to end")
	}
	c := startTrio(t)
	c.anywhere(c.owner(-1))
	c.drainOwner()
	l := c.load()
	end := time.Now()
	if soak := os.Getenv("RHOST_SOAK"); soak != "" {
		d, err := time.ParseDuration(soak)
		if err != nil {
			d = 10 * time.Minute
		}
		end = end.Add(d)
	}
	for round := 1; ; round++ {
		l.more()
		c.killOwner(l, round)
		l.more()
		c.stopOwner(l, round)
		if time.Now().After(end) {
			break
		}
	}
	l.more()
	c.check(l.halt())
}

// anywhere asks the nodes that are not the owner: their API, their local socket, and
// for what goes on.
func (c *trio) anywhere(owner int) {
	c.t.Helper()
	for i := range c.api {
		if i == owner {
			continue
		}
		// A stream ends when the log goes to another node, as it may on a busy machine.
		for try := 1; !c.watch(i); try++ {
			require.Less(c.t, try, 3, "node %d does not pass requests on", i)
		}
		code, answer := c.call(i, http.MethodGet, "/readyz", "", nil)
		assert.Equal(c.t, http.StatusOK, code, "readyz of node %d: %s", i, answer)
		out, err := exec.CommandContext(c.t.Context(), "rhost", "status", "--data", c.args[i][4], "--json").Output()
		require.NoError(c.t, err)
		assert.Contains(c.t, string(out), fmt.Sprintf(`"node": %q`, string(rune('a'+owner))))
	}
}

// watch reports whether an event that is sent through a node is seen through it.
func (c *trio) watch(i int) bool {
	c.t.Helper()
	tail := start(c.t, "tail", "rhost:matches", "--url", "http://"+c.api[i])
	defer tail.kill()
	last := ""
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		body := fmt.Sprintf(`{"specversion":"1.0","id":"tail-%d-%d","source":"load","type":"load.other"}`, i, time.Now().UnixNano())
		code, answer := c.call(i, http.MethodPost, "/v1/events", "application/cloudevents+json", []byte(body))
		last = fmt.Sprint(code, " ", string(answer))
		if code == http.StatusAccepted && len(tail.lines) > 0 {
			return assert.Contains(c.t, tail.waitFor("other"), "other")
		}
	}
	c.t.Logf("the last answer of node %d was %s; tail says: %s", i, last, tail.said())
	return false
}

// drainOwner takes the owner out of the cluster and back.
func (c *trio) drainOwner() {
	c.t.Helper()
	was := c.owner(-1)
	name := string(rune('a' + was))
	run := func(args ...string) string {
		out, err := exec.CommandContext(c.t.Context(), "rhost", append([]string{"cluster"}, args...)...).CombinedOutput()
		require.NoError(c.t, err, "%s", out)
		return string(out)
	}
	data := c.args[was][4]
	assert.Regexp(c.t, `(?m)^NODE +STATE +VERSION +UP +API$`, run("status", "--data", data))
	began := time.Now()
	assert.Regexp(c.t, "(?m)^"+name+` \(asked\) +draining `, run("drain", "--data", data))
	now := c.owner(was)
	c.t.Logf("drained after %v", time.Since(began).Round(10*time.Millisecond))
	run("undrain", "--data", data)
	run("rebalance", "--data", data)
	var s struct {
		Groups []struct {
			Owner   string
			Streams []struct{ Copies []struct{ Node string } }
		}
	}
	require.NoError(c.t, json.Unmarshal([]byte(run("status", "--json", "--url", "http://"+c.api[was])), &s))
	require.Len(c.t, s.Groups, 1)
	assert.Equal(c.t, string(rune('a'+now)), s.Groups[0].Owner, "it stays where it is")
	require.Len(c.t, s.Groups[0].Streams, 3)
	assert.Len(c.t, s.Groups[0].Streams[0].Copies, 2)
}

// killOwner kills the owner and starts it again once another has taken over.
func (c *trio) killOwner(l *load, round int) {
	c.t.Helper()
	was := c.owner(-1)
	l.quiet()
	began := time.Now()
	c.nodes[was].kill()
	now := c.owner(was)
	took := time.Since(began)
	l.more()
	c.t.Logf("round %d: node %d killed, node %d owns the log after %v; longest time without an ack %v", round, was, now, took.Round(10*time.Millisecond), l.quiet().Round(10*time.Millisecond))
	c.start(was)
	c.nodes[was].waitFor(`"joined"`)
}

// stopOwner stops the owner until another has taken over, and lets it go on.
func (c *trio) stopOwner(l *load, round int) {
	c.t.Helper()
	was := c.owner(-1)
	l.quiet()
	began, before := time.Now(), len(c.nodes[was].said())
	c.signal(was, syscall.SIGSTOP)
	now := c.owner(was)
	took := time.Since(began)
	l.more()
	c.t.Logf("round %d: node %d stopped, node %d owns the log after %v; longest time without an ack %v", round, was, now, took.Round(10*time.Millisecond), l.quiet().Round(10*time.Millisecond))
	c.signal(was, syscall.SIGCONT)
	require.Eventually(c.t, func() bool {
		said := c.nodes[was].said()[before:]
		return strings.Contains(said, "has lost the log and stopped") || strings.Contains(said, "was found to have been replaced")
	}, 30*time.Second, 50*time.Millisecond, "the stopped owner has not stopped being one")
	assert.False(c.t, c.owns(was), "node %d still answers as the owner", was)
}

// triggered is a recorded match.
type triggered struct {
	Trigger string
	Bind    map[string][]string
}

// matches reads the matches of a rule from the owner; none when that is just
// becoming another.
func (c *trio) matches(rule string) (list []triggered) {
	c.t.Helper()
	out, err := exec.CommandContext(c.t.Context(), "rhost", "matches", "--url", "http://"+c.api[c.owner(-1)], "--rule", rule, "--json").Output()
	if err != nil {
		c.t.Logf("matches of rule %s: %v", rule, err)
		return nil
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var m triggered
		require.NoError(c.t, dec.Decode(&m))
		list = append(list, m)
	}
	return list
}

// check reads what the owner has recorded.
func (c *trio) check(acked []string) {
	c.t.Helper()
	var each, echo, fives []triggered
	require.Eventually(c.t, func() bool {
		each, echo, fives = c.matches("each"), c.matches("echo"), c.matches("five")
		return len(each) >= len(acked) && len(echo) >= len(each) && len(fives) >= len(each)/5
	}, time.Minute, time.Second, "not all of %d acknowledged events are matched", len(acked))

	seen := make(map[string]int)
	for _, m := range each {
		seen[m.Trigger]++
	}
	for id, n := range seen {
		assert.Equal(c.t, 1, n, "matches of event %s", id)
	}
	for _, id := range acked {
		assert.Contains(c.t, seen, id, "an acknowledged event has no match")
	}
	echoes := make(map[string]int)
	for _, m := range echo {
		echoes[m.Trigger]++
	}
	assert.Len(c.t, echoes, len(each), "one emitted event for each match")
	for id, n := range echoes {
		assert.Equal(c.t, 1, n, "matches of emitted event %s", id)
	}
	counted := make(map[string]bool)
	assert.Len(c.t, fives, len(each)/5)
	for _, m := range fives {
		for _, id := range m.Bind["e"] {
			assert.False(c.t, counted[id], "event %s is counted twice", id)
			counted[id] = true
		}
	}
	c.t.Logf("%d events acknowledged, %d matched", len(acked), len(each))
}
