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
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host"
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
	wires *wires // each node has a network of its own; nil: all are on the loopback interface
	args  [3][]string
	api   [3]string
	http  [3]*http.Client
	nodes [3]*process
}

// startTrio starts three nodes, each on an end of the wires, if there are any.
func startTrio(t *testing.T, w *wires) *trio {
	t.Helper()
	c := &trio{t: t, wires: w}
	dir := t.TempDir()
	var peers []string
	for i := range c.args {
		if w == nil {
			peers, c.api[i], c.http[i] = append(peers, unusedAddr(t)), unusedAddr(t), http.DefaultClient
			continue
		}
		peers, c.api[i] = append(peers, w.ip(i)+":7400"), "127.0.0.1:4120"
		c.http[i] = socketClient(filepath.Join(dir, letter(i)))
	}
	for i := range c.args {
		app := filepath.Join(dir, "app-"+letter(i)) // each has its own copy
		for _, some := range []map[string]string{clusterApp, {"rhost.yaml": clusterYAML(peers)}} {
			for name, text := range some {
				full := filepath.Join(app, name)
				require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
				require.NoError(t, os.WriteFile(full, []byte(text), 0o600))
			}
		}
		c.args[i] = []string{
			"run", app, "--json", "--data", filepath.Join(dir, letter(i)), "--listen", c.api[i],
			"--set", "cluster.node=" + letter(i), "--set", "cluster.listen=" + peers[i],
		}
		c.start(i)
	}
	for i := range c.nodes {
		c.joined(i)
	}
	return c
}

func clusterYAML(peers []string) string {
	return fmt.Sprintf("cluster: {name: test, node: a, listen: %s, peers: [%s], secret_file: secret}\n", peers[0], strings.Join(peers, ", "))
}

// letter is the name of a node.
func letter(i int) string { return string(rune('a' + i)) }

// socketClient reaches a node by the socket in its data folder, as who is on its
// machine does.
func socketClient(data string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(data, host.SocketName))
		},
	}}
}

// reach is how a command reaches a node.
func (c *trio) reach(i int) []string {
	if c.wires == nil {
		return []string{"--url", "http://" + c.api[i]}
	}
	return []string{"--data", c.data(i)}
}

// app is a node's app folder.
func (c *trio) app(i int) string { return c.args[i][1] }

// data is a node's data folder.
func (c *trio) data(i int) string { return c.args[i][4] }

func unusedAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// start starts a node; see joined.
func (c *trio) start(i int) {
	cmd := exec.Command("rhost", c.args[i]...)
	if c.wires != nil {
		cmd = c.wires.command(i, cmd.Args...)
	}
	c.nodes[i] = startCmd(c.t, cmd)
}

// joined waits until a node that was started has joined the others.
func (c *trio) joined(i int) {
	c.t.Helper()
	p := c.nodes[i]
	p.waitFor(`"joined"`)
	go func() { // ends with the process, which waits for nobody who reads its matches
		for range p.lines {
		}
	}()
}

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
	return code == http.StatusOK && json.Unmarshal(body, &s) == nil && s.Node == letter(i)
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
	res, err := c.http[i].Do(req)
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
