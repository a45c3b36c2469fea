package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host"
)

// TestClusterTakesOver stops the owner and kills the next one with -9, under load.
// Every event that was acknowledged is matched once, what matches emit comes once,
// and the owner that was stopped finds out that it is not the owner any more.
// TestClusterFaults goes on with this.
func TestClusterTakesOver(t *testing.T) {
	if testing.Short() {
		t.Skip("leases take seconds to end")
	}
	t.Parallel() // it waits most of the time
	c := startTrio(t, nil)
	c.current()
	c.anywhere(c.owner(-1))
	c.drainOwner()
	l := c.load(1, 5*time.Millisecond)
	l.more()
	kill, stop := faults()[0], faults()[1]
	s := c.strike(l, stop, c.owner(-1), 0)
	c.mend(l, &s, c.said())
	t.Log(s)
	kill.end = func(*trio, int) {} // two nodes are enough for the rest
	t.Log(c.strike(l, kill, c.owner(-1), 0))
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
		out, err := exec.CommandContext(c.t.Context(), "rhost", "status", "--data", c.data(i), "--json").Output()
		require.NoError(c.t, err)
		assert.Contains(c.t, string(out), fmt.Sprintf(`"node": %q`, letter(owner)))
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

// drainOwner takes the owner out of the cluster, when the node that is to have the log
// next cannot run it, and back. The third node gets it, and all are told why.
func (c *trio) drainOwner() {
	c.t.Helper()
	was := c.owner(-1)
	next := 0 // the first of the others by name
	if was == 0 {
		next = 1
	}
	config := filepath.Join(c.app(next), "rhost.yaml")
	good, err := os.ReadFile(config)
	require.NoError(c.t, err)
	require.NoError(c.t, os.WriteFile(config, append(good, "nonsense: 1\n"...), 0o600))
	run := func(args ...string) string {
		out, err := exec.CommandContext(c.t.Context(), "rhost", append([]string{"cluster"}, args...)...).CombinedOutput()
		require.NoError(c.t, err, "%s", out)
		return string(out)
	}
	data := c.data(was)
	assert.Regexp(c.t, `(?m)^NODE +STATE +VERSION +UP +API$`, run("status", "--data", data))
	began := time.Now()
	assert.Regexp(c.t, "(?m)^"+letter(was)+` \(asked\) +draining `, run("drain", "--data", data))
	now := c.owner(was)
	c.t.Logf("drained after %v", time.Since(began).Round(10*time.Millisecond))
	assert.Equal(c.t, 3-was-next, now)
	assert.Regexp(c.t, "(?m)^"+letter(next)+` +0 +1 +\d+s +waits +.*nonsense`, run("status", "--data", data))
	require.NoError(c.t, os.WriteFile(config, good, 0o600))
	run("undrain", "--data", c.data(next))
	run("undrain", "--data", data)
	run("rebalance", "--data", data)
	var s host.ClusterSummary
	require.NoError(c.t, json.Unmarshal([]byte(run("status", "--json", "--url", "http://"+c.api[was])), &s))
	for _, n := range s.Nodes {
		assert.Empty(c.t, n.Failed)
	}
	require.Len(c.t, s.Groups, 1)
	assert.Equal(c.t, letter(now), s.Groups[0].Owner, "it stays where it is")
	require.Len(c.t, s.Groups[0].Streams, 3)
	assert.Len(c.t, s.Groups[0].Streams[0].Copies, 2)
}
