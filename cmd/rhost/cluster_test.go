package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestClusterTakesOver kills the owner with -9 and stops the next one, under load.
// Every event that was acknowledged is matched once, what matches emit comes once,
// and the owner that was stopped finds out that it is not the owner any more.
// TestClusterFaults goes on with this.
func TestClusterTakesOver(t *testing.T) {
	if testing.Short() {
		t.Skip("leases take seconds to end")
	}
	c := startTrio(t, nil)
	c.anywhere(c.owner(-1))
	c.drainOwner()
	l := c.load(1, 5*time.Millisecond)
	for _, f := range faults()[:2] {
		l.more()
		t.Log(c.strike(l, f, c.owner(-1), 0))
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

// drainOwner takes the owner out of the cluster and back.
func (c *trio) drainOwner() {
	c.t.Helper()
	was := c.owner(-1)
	name := letter(was)
	run := func(args ...string) string {
		out, err := exec.CommandContext(c.t.Context(), "rhost", append([]string{"cluster"}, args...)...).CombinedOutput()
		require.NoError(c.t, err, "%s", out)
		return string(out)
	}
	data := c.data(was)
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
	assert.Equal(c.t, letter(now), s.Groups[0].Owner, "it stays where it is")
	require.Len(c.t, s.Groups[0].Streams, 3)
	assert.Len(c.t, s.Groups[0].Streams[0].Copies, 2)
}
