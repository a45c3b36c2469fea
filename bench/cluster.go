package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/host/cluster"
)

// clusterSuite starts one node with its log in its own process, and three that keep
// a log together, all on this machine, and sends them events over their local API.
// A tenant's log has one owner, so that nodes add copies and no speed: what the
// ratios show is what the copies cost, on processors and a disk that all share.
func clusterSuite(ctx context.Context) ([]measure, func() error, error) {
	dir, err := os.MkdirTemp("", "rhost-bench-")
	if err != nil {
		return nil, nil, err
	}
	t := &trio{dir: dir, bin: filepath.Join(dir, "rhost")}
	done := func() error { return errors.Join(t.kill(), os.RemoveAll(dir)) }
	if text, err := exec.CommandContext(ctx, "go", "build", "-o", t.bin, "./cmd/rhost").CombinedOutput(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("build rhost (run this from the repository): %w\n%s", err, text), done())
	}
	if err := t.start(ctx); err != nil {
		return nil, nil, errors.Join(err, done())
	}
	rate := func(up int, through func(owner int) *server) func(context.Context, time.Duration) (float64, error) {
		return func(ctx context.Context, d time.Duration) (float64, error) {
			owner, err := t.up(ctx, up)
			if err != nil {
				return 0, err
			}
			return t.rate(ctx, through(owner), max(d, time.Second))
		}
	}
	ack := func(through func(owner int) *server) func(context.Context, time.Duration) (float64, error) {
		return func(ctx context.Context, d time.Duration) (float64, error) {
			owner, err := t.up(ctx, 3)
			if err != nil {
				return 0, err
			}
			return t.ack(ctx, through(owner), d)
		}
	}
	outage := func(act func(context.Context, int) error) func(context.Context, time.Duration) (float64, error) {
		return func(ctx context.Context, _ time.Duration) (float64, error) { return t.outage(ctx, act) }
	}
	single := func(int) *server { return t.alone }
	its := func(owner int) *server { return t.nodes[owner] }
	another := func(owner int) *server { return t.nodes[(owner+1)%len(t.nodes)] }
	const one, oneAck = "1 node, its log in its process", "ack of one event p50, 1 node"
	return []measure{
		{name: one, unit: "events/s", fn: rate(3, single)},
		{name: "3 nodes with a copy each, through the owner", unit: "events/s", base: one, fn: rate(3, its)},
		{name: "3 nodes with a copy each, through another", unit: "events/s", base: one, fn: rate(3, another)},
		{name: oneAck, unit: "ms", fn: ack(single)},
		{name: "ack of one event p50, 3 nodes, through the owner", unit: "ms", base: oneAck, fn: ack(its)},
		{name: "ack of one event p50, 3 nodes, through another", unit: "ms", base: oneAck, fn: ack(another)},
		{name: "longest time without an ack, owner drained", unit: "s", fn: outage(t.drain)},
		{name: "longest time without an ack, owner killed with -9", unit: "s", fn: outage(t.fell)},
		{name: "2 of 3 nodes, through the owner", unit: "events/s", base: one, fn: rate(2, its)},
	}, done, nil
}

// server is a process of rhost run.
type server struct {
	args []string
	data string
	http *http.Client // to its local socket
	cmd  *exec.Cmd    // nil: it does not run
}

func (s *server) start(bin string) error {
	cmd := exec.Command(bin, s.args...) //nolint:noctx // kill ends it
	cmd.Stderr = os.Stderr
	err := cmd.Start()
	if err == nil {
		s.cmd = cmd
	}
	return err
}

// kill ends it as kill -9 does.
func (s *server) kill() error {
	if s == nil || s.cmd == nil {
		return nil
	}
	err := s.cmd.Process.Kill()
	s.cmd.Wait() //nolint:errcheck // killed is what it is
	s.cmd = nil
	s.http.CloseIdleConnections()
	return err
}

// ask makes a request and decodes the answer; want is its status.
func (s *server) ask(ctx context.Context, wait time.Duration, method, path string, body []byte, want int, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://node"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/cloudevents-batch+json")
	res, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	var text bytes.Buffer
	if _, err := text.ReadFrom(res.Body); err != nil {
		return err
	}
	if res.StatusCode != want {
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, text.Bytes())
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text.Bytes(), answer)
}

// trio is three nodes of a cluster, and one node beside them that is alone.
type trio struct {
	dir, bin string
	alone    *server
	nodes    [3]*server
	sent     atomic.Int64
}

// start makes the app folders, and starts all.
func (t *trio) start(ctx context.Context) error {
	var peers []string
	for range t.nodes {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is at once
		if err != nil {
			return err
		}
		peers = append(peers, l.Addr().String())
		if err := l.Close(); err != nil {
			return err
		}
	}
	const rule = "rule: r\nwhen: type == \"bench.none\"\n"
	for name, text := range map[string]string{
		"alone/rhost.yaml": "listen: \"off\"\n", "alone/rules/r.yaml": rule,
		"app/rhost.yaml":   fmt.Sprintf("listen: \"off\"\ncluster: {name: bench, node: a, listen: %s, peers: [%s], secret_file: secret}\n", peers[0], strings.Join(peers, ", ")),
		"app/rules/r.yaml": rule, "app/secret": "what the nodes of the bench share",
	} {
		name = filepath.Join(t.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(text), 0o600)); err != nil {
			return err
		}
	}
	t.alone = t.server("alone", "data")
	err := t.alone.start(t.bin)
	for i := range t.nodes {
		name := nodeName(i)
		t.nodes[i] = t.server("app", name, "--set", "cluster.node="+name, "--set", "cluster.listen="+peers[i])
	}
	if err == nil {
		_, err = t.up(ctx, 3)
	}
	if err == nil {
		err = until(ctx, "the node that is alone", func() error {
			return t.alone.ask(ctx, time.Second, http.MethodGet, "/readyz", nil, http.StatusOK, nil)
		})
	}
	return err
}

func nodeName(i int) string { return string(rune('a' + i)) }

func (t *trio) server(app, data string, more ...string) *server {
	s := &server{data: filepath.Join(t.dir, data)}
	s.args = append([]string{"run", filepath.Join(t.dir, app), "--json", "--log", "error", "--data", s.data}, more...)
	s.http = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.data, host.SocketName))
		},
		MaxIdleConnsPerHost: 16,
	}}
	return s
}

func (t *trio) kill() error {
	errs := []error{t.alone.kill()}
	for _, s := range t.nodes {
		errs = append(errs, s.kill())
	}
	return errors.Join(errs...)
}

// until tries something until it succeeds, for a minute.
func until(ctx context.Context, what string, try func() error) error {
	for end := time.Now().Add(time.Minute); ; {
		err := try()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || time.Now().After(end) {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// up has as many nodes run as given, two or three, and gives the owner once they are
// as they should be.
func (t *trio) up(ctx context.Context, n int) (owner int, err error) {
	var down []int
	for i, s := range t.nodes {
		if s.cmd == nil {
			down = append(down, i)
		}
	}
	if n == 2 && len(down) == 0 {
		if owner, err = t.owner(ctx, -1); err != nil {
			return 0, err
		}
		if err := t.nodes[owner].kill(); err != nil {
			return 0, err
		}
	}
	if n == 3 {
		for _, i := range down {
			if err := t.nodes[i].start(t.bin); err != nil {
				return 0, err
			}
		}
		if err := until(ctx, "three nodes and their copies", func() error { return t.whole(ctx) }); err != nil {
			return 0, err
		}
	}
	return t.owner(ctx, -1)
}

// owner waits for a node that owns the log, other than the one given.
func (t *trio) owner(ctx context.Context, not int) (owner int, err error) {
	err = until(ctx, "an owner", func() error {
		for i, s := range t.nodes {
			var status struct{ Node string }
			if s.cmd != nil && i != not && s.ask(ctx, time.Second, http.MethodGet, "/v1/status", nil, http.StatusOK, &status) == nil && status.Node == nodeName(i) {
				owner = i
				return nil
			}
		}
		return errors.New("nobody owns the log")
	})
	return owner, err
}

// whole reports why not all nodes are up with current copies.
func (t *trio) whole(ctx context.Context) error {
	var s host.ClusterSummary
	if err := t.nodes[0].ask(ctx, 5*time.Second, http.MethodGet, "/v1/cluster", nil, http.StatusOK, &s); err != nil {
		return err
	}
	up := 0
	for _, n := range s.Nodes {
		if n.State == cluster.Up {
			up++
		}
	}
	for _, st := range s.Groups[0].Streams {
		for _, c := range st.Copies {
			if c.Offline || !c.Current {
				return fmt.Errorf("the copy of %s on %s is not current", st.Name, c.Node)
			}
		}
	}
	if up < len(t.nodes) || len(s.Groups[0].Streams) == 0 {
		return fmt.Errorf("%d nodes are up", up)
	}
	return nil
}

// events are n new ones of 300 bytes, as a batch.
func (t *trio) events(n int) []byte {
	b := []byte("[")
	ev := sampleEvent()
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		ev.ID = fmt.Sprintf("bench-%028d", t.sent.Add(1))
		b = ev.AppendJSON(b)
	}
	return append(b, ']')
}

const (
	clusterClients = 4
	clusterBatch   = 200
)

// rate is how many events a second a node acknowledges.
func (t *trio) rate(ctx context.Context, s *server, d time.Duration) (float64, error) {
	var acked atomic.Int64
	start := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for range clusterClients {
		g.Go(func() error {
			for time.Since(start) < d {
				if err := s.ask(ctx, 10*time.Second, http.MethodPost, "/v1/events", t.events(clusterBatch), http.StatusAccepted, nil); err != nil {
					return err
				}
				acked.Add(clusterBatch)
			}
			return nil
		})
	}
	err := g.Wait()
	return float64(acked.Load()) / time.Since(start).Seconds(), err
}

// ack is the median time of one event, one after the other, in milliseconds.
func (t *trio) ack(ctx context.Context, s *server, d time.Duration) (float64, error) {
	var took []time.Duration
	for start := time.Now(); time.Since(start) < d; {
		began := time.Now()
		if err := s.ask(ctx, 10*time.Second, http.MethodPost, "/v1/events", t.events(1), http.StatusAccepted, nil); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	return percentiles(took).p50, nil
}

// outage is the longest time, in seconds, in which a client of the other nodes had
// no event acknowledged, while the owner was made another.
func (t *trio) outage(ctx context.Context, act func(ctx context.Context, owner int) error) (float64, error) {
	was, err := t.up(ctx, 3)
	if err != nil {
		return 0, err
	}
	var longest time.Duration
	last, over := time.Now(), make(chan struct{})
	var g errgroup.Group
	g.Go(func() error {
		for node, ended := was, false; ; {
			node = (node + 1) % len(t.nodes)
			if node == was {
				continue
			}
			for t.nodes[node].ask(ctx, time.Second, http.MethodPost, "/v1/events", t.events(1), http.StatusAccepted, nil) == nil {
				longest, last = max(longest, time.Since(last)), time.Now()
				if ended {
					return nil // an ack after the end, so that the gap is counted
				}
				time.Sleep(5 * time.Millisecond)
				select {
				case <-over:
					ended = true
				default:
				}
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	time.Sleep(100 * time.Millisecond)
	err = act(ctx, was)
	if err == nil {
		_, err = t.owner(ctx, was)
	}
	close(over)
	err = errors.Join(err, g.Wait())
	return longest.Seconds(), err
}

// fell kills a node.
func (t *trio) fell(_ context.Context, node int) error { return t.nodes[node].kill() }

// drain has a node hand over the log, and take part again once it has.
func (t *trio) drain(ctx context.Context, node int) error {
	err := t.nodes[node].ask(ctx, 15*time.Second, http.MethodPost, "/v1/cluster/drain", nil, http.StatusOK, nil)
	if err == nil {
		_, err = t.owner(ctx, node)
	}
	return errors.Join(err, t.nodes[node].ask(ctx, 15*time.Second, http.MethodPost, "/v1/cluster/undrain", nil, http.StatusOK, nil))
}
