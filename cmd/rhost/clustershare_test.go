package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sharers are three nodes of a cluster, each a process with an app folder of its own.
type sharers struct {
	t     *testing.T
	app   [3]string
	data  [3]string
	nodes [3]*process
}

// startSharers starts nodes whose plugins answer with the number of the node.
func startSharers(t *testing.T) *sharers {
	t.Helper()
	s := &sharers{t: t}
	var peers []string
	for range s.app {
		peers = append(peers, unusedAddr(t))
	}
	for i := range s.app {
		s.app[i], s.data[i] = t.TempDir(), t.TempDir()
		for name, text := range map[string]string{
			"rhost.yaml":    fmt.Sprintf("listen: off\ncluster: {name: test, node: n%d, listen: %s, peers: [%s], secret_file: secret}\n", i, peers[i], strings.Join(peers, ", ")),
			"secret":        "what the nodes of this test share",
			"rules/r.yaml":  "rule: r\nwhen: type == \"t\"\ndo: [{run: p}]\n",
			"plugins/p.lua": fmt.Sprintf("function invoke() return 'by n%d' end\n", i),
		} {
			write(t, s.app[i], name, text)
		}
		s.nodes[i] = start(t, "run", s.app[i], "--json", "--data", s.data[i])
	}
	for _, p := range s.nodes {
		p.waitFor(`"joined"`)
		go func() { // ends with the process
			for range p.lines {
			}
		}()
	}
	return s
}

// ask runs a command at a node until it succeeds.
func (s *sharers) ask(i int, args ...string) string {
	s.t.Helper()
	args = append(args, "--data", s.data[i])
	said := ""
	require.Eventually(s.t, func() bool {
		out, err := exec.CommandContext(s.t.Context(), "rhost", args...).CombinedOutput()
		said = string(out)
		return err == nil
	}, time.Minute, 200*time.Millisecond, "rhost %v", args)
	return said
}

// owner waits until a node is the owner, by another one.
func (s *sharers) owner(asked, not int) int {
	s.t.Helper()
	found := -1
	require.Eventually(s.t, func() bool {
		var c struct {
			Groups []struct{ Owner string }
		}
		if json.Unmarshal([]byte(s.ask(asked, "cluster", "status", "--json")), &c) != nil || len(c.Groups) == 0 {
			return false
		}
		n, err := fmt.Sscanf(c.Groups[0].Owner, "n%d", &found)
		return n == 1 && err == nil && found != not
	}, time.Minute, 100*time.Millisecond, "nobody owns the log")
	return found
}

// says waits until a node answers with a text.
func (s *sharers) says(i int, text string, args ...string) {
	s.t.Helper()
	said := ""
	require.Eventually(s.t, func() bool {
		said = s.ask(i, args...)
		return strings.Contains(said, text)
	}, time.Minute, 200*time.Millisecond, "rhost %v does not say %q", args, text)
}

// answer emits an event through a node and waits for what the plugin answers.
func (s *sharers) answer(i int, text string) {
	s.t.Helper()
	s.ask(i, "emit", "--type", "t", "--payload", "{}")
	s.says(i, text, "actions", "--json")
}

// TestClusterShares: nodes with three different folders go on with what the first owner
// put in force. Who has another folder is told of by file; apply and plugin work on any
// node, and what they did is there after the owner is killed.
func TestClusterShares(t *testing.T) {
	if testing.Short() {
		t.Skip("leases take seconds to end")
	}
	s := startSharers(t)
	first := s.owner(0, -1)
	one, other := (first+1)%3, (first+2)%3
	s.answer(one, fmt.Sprintf("by n%d", first))
	s.says(first, fmt.Sprintf("folder of n%d differs: ~plugins/p.lua", one), "cluster", "status")
	status := s.ask(one, "cluster", "status")
	assert.Contains(t, status, "in force: edition 1, since ")
	assert.NotContains(t, status, fmt.Sprintf("folder of n%d differs", first))
	require.Eventually(t, func() bool { return strings.Contains(s.nodes[one].said(), "differs from what is in force") }, time.Minute, 100*time.Millisecond)

	s.nodes[first].kill()
	next := s.owner(one, first)
	s.answer(one, fmt.Sprintf("by n%d", first))
	standby := one + other - next
	s.ask(standby, "apply", "-f", s.app[standby], "--prune", "--yes")
	s.answer(standby, fmt.Sprintf("by n%d", standby))
	s.says(next, fmt.Sprintf("folder of n%d differs: ~plugins/p.lua", next), "cluster", "status")

	sent := filepath.Join(t.TempDir(), "sent.lua")
	require.NoError(t, os.WriteFile(sent, []byte("function invoke() return 'sent' end\n"), 0o600))
	s.ask(standby, "plugin", "load", "p", sent)
	s.nodes[first] = start(t, "run", s.app[first], "--json", "--data", s.data[first])
	s.nodes[first].waitFor(`"joined"`)
	s.ask(next, "cluster", "drain")
	s.owner(standby, next)
	s.answer(standby, "sent")
	assert.Contains(t, s.ask(next, "plugin", "status", "p"), "operator", "the history is seen from any node")
}
