package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host"
)

// TestClusterForgets starts a node of three under a mistaken name, mends that, and has
// the cluster forget the name, under load.
func TestClusterForgets(t *testing.T) {
	if os.Getenv("RHOST_SOAK") == "" {
		t.Skip("set RHOST_SOAK=1: nodes are killed and come back")
	}
	t.Parallel()
	c := startTrio(t, nil)
	c.current()
	l := c.load(1, 20*time.Millisecond)
	c.nodes[2].kill()
	right := c.args[2]
	c.args[2] = slices.Clone(right)
	c.args[2][4] = filepath.Join(t.TempDir(), "mistaken")
	for i, arg := range c.args[2] {
		c.args[2][i] = strings.Replace(arg, "cluster.node=c", "cluster.node=mistaken", 1)
	}
	c.start(2)
	c.joined(2)
	code, out := c.cluster("forget", "mistaken", "--data", c.data(0))
	assert.Equal(t, exitUsage, code, out)
	assert.Contains(t, out, "mistaken: the server is there and answers")
	c.nodes[2].kill()
	c.args[2] = right
	c.start(2)
	c.joined(2)

	code, out = c.cluster("status", "--data", c.data(1))
	require.Equal(t, exitOK, code, out)
	assert.Contains(t, out, "4 servers have joined this cluster")
	require.Eventually(t, func() bool {
		_, out = c.cluster("status", "--data", c.data(1))
		return strings.Contains(out, "mistaken is gone; if it is for good, `rhost cluster forget mistaken` ends that")
	}, 30*time.Second, 100*time.Millisecond, "%v", &out)
	_, out = c.command("__complete", "cluster", "forget", "--data", c.data(1), "")
	assert.Regexp(t, `(?m)^mistaken$`, out)
	code, out = c.cluster("forget", "typo", "--data", c.data(1))
	assert.Equal(t, exitUsage, code, out)
	assert.Contains(t, out, "those that have are a, b, c, mistaken")
	began := time.Now()
	code, out = c.cluster("forget", "mistaken", "--data", c.data(1))
	require.Equal(t, exitOK, code, out)
	t.Logf("forgotten after %v:\n%s", time.Since(began).Round(10*time.Millisecond), out)
	assert.NotContains(t, out, "mistaken\n")
	assert.NotContains(t, out, "have joined this cluster")
	l.more()
	c.current()
	_, answer := c.call(0, http.MethodGet, "/v1/cluster", "", nil)
	var s host.ClusterSummary
	require.NoError(t, json.Unmarshal(answer, &s))
	assert.Equal(t, 3, s.Servers)
	assert.Empty(t, s.Gone)

	c.nodes[0].kill() // two of three are most of them again
	c.owner(0)
	l.more()
	c.start(0)
	c.joined(0)
	c.check(l.halt())
}

// cluster runs a command of a cluster.
func (c *trio) cluster(args ...string) (code int, out string) {
	return c.command(append([]string{"cluster"}, args...)...)
}

func (c *trio) command(args ...string) (code int, out string) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), "rhost", args...)
	b, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		require.NoError(c.t, err)
	}
	return cmd.ProcessState.ExitCode(), string(b)
}
