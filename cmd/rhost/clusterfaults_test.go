package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/host/cluster"
)

// fault is a way in which a node fails.
type fault struct {
	name       string
	begin, end func(c *trio, node int)
	stays      bool // the node lives on, and must find out that it is not the owner
}

// faults are all that there are. The last one takes wires.
func faults() []fault {
	return []fault{
		{"kill -9", func(c *trio, node int) { c.nodes[node].kill() }, func(c *trio, node int) { c.start(node); c.joined(node) }, false},
		{"SIGSTOP", func(c *trio, node int) { c.signal(node, syscall.SIGSTOP) }, func(c *trio, node int) { c.signal(node, syscall.SIGCONT) }, true},
		{"cut off", func(c *trio, node int) { c.wires.cut(node) }, func(c *trio, node int) { c.wires.join(node) }, true},
	}
}

// struck is what a fault did.
type struck struct {
	fault string
	owner bool          // the node owned the log
	note  string        // what the next owner said
	took  time.Duration // from the fault until another node owned the log
	gap   time.Duration // the longest time without an ack
	whole time.Duration // from the end of the fault until all copies were current
	after time.Duration // the longest time without an ack from the take-over on

	began, ended    time.Time
	before, without float64 // events/s that were acknowledged, before and during the fault
}

func (s struck) String() string {
	whose := "another node"
	if s.owner {
		whose = "the owner"
	}
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
	return fmt.Sprintf("%s of %s: taken over after %v %s, longest time without an ack %v, then %v, whole again after %v; %.0f and %.0f events/s", s.fault, whose,
		round(s.took), s.note, round(s.gap), round(s.after), round(s.whole), s.before, s.without)
}

// strike has a node fail under load, and mend when another has taken over what it
// owned. Rates are taken for as long as given.
func (c *trio) strike(l *load, f fault, node int, while time.Duration) struck {
	c.t.Helper()
	s := struck{fault: f.name, owner: c.owner(-1) == node, before: l.rate(while)}
	said := c.said()
	l.quiet()
	s.began = time.Now()
	f.begin(c, node)
	stop := c.inside(l, node, f)
	if s.owner {
		var at time.Time
		at, s.note = c.taken(said, node)
		s.took = at.Sub(s.began)
	}
	l.more()
	s.gap, s.without = l.quiet(), l.rate(while)
	stop()
	f.end(c, node)
	s.ended = time.Now()
	if s.owner && f.stays {
		require.Eventually(c.t, func() bool {
			text := c.nodes[node].said()[said[node]:]
			return strings.Contains(text, "has lost the log and stopped") || strings.Contains(text, "was found to have been replaced")
		}, 30*time.Second, 20*time.Millisecond, "the old owner has not stopped being one: %s", c.since(said))
		assert.False(c.t, c.owns(node), "node %s still answers as the owner", letter(node))
	}
	return s
}

// mend waits until the cluster is as it was before a fault. What was slow is
// explained by what nodes say.
func (c *trio) mend(l *load, s *struck, said [3]int) {
	c.t.Helper()
	s.whole, s.after = c.current().Sub(s.ended), l.quiet()
	if s.after > 2*time.Second || s.gap > 12*time.Second || !s.owner && s.gap > 2*time.Second {
		c.t.Logf("the fault began at %s, ended at %s: %s", s.began.Format(time.RFC3339Nano), s.ended.Format(time.RFC3339Nano), c.since(said))
	}
}

// said is how much each node has said.
func (c *trio) said() (n [3]int) {
	for i, p := range c.nodes {
		n[i] = len(p.said())
	}
	return n
}

// since is what the nodes have said since then, without the tries to reach one that
// is not there.
func (c *trio) since(said [3]int) string {
	var b strings.Builder
	for i, p := range c.nodes {
		text := p.said()
		fmt.Fprintf(&b, "node %s:\n", letter(i))
		for line := range strings.Lines(text[min(said[i], len(text)):]) {
			if !strings.Contains(line, "connect to route") && !strings.Contains(line, "Error flushing") && !strings.Contains(line, "Stale Connection") {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}

// taken waits until another node says that it owns the log, and gives the time and
// what it says.
func (c *trio) taken(said [3]int, not int) (at time.Time, text string) {
	c.t.Helper()
	require.Eventually(c.t, func() bool {
		for i, p := range c.nodes {
			if i == not {
				continue
			}
			if _, after, ok := strings.Cut(p.said()[said[i]:], "owns the log "); ok {
				text, _, _ = strings.Cut(after, "\n")
				return true
			}
		}
		return false
	}, time.Minute, 5*time.Millisecond, "nobody takes the log over")
	return time.Now(), text
}

// current waits until all nodes are up and their copies current, and gives the time.
func (c *trio) current() time.Time {
	c.t.Helper()
	var s host.ClusterSummary
	require.Eventually(c.t, func() bool {
		code, body := c.call(c.owner(-1), http.MethodGet, "/v1/cluster", "", nil)
		s = host.ClusterSummary{}
		return code == http.StatusOK && json.Unmarshal(body, &s) == nil && isWhole(&s)
	}, time.Minute, 50*time.Millisecond, "the cluster is not whole: %+v", &s)
	return time.Now()
}

func isWhole(s *host.ClusterSummary) bool {
	up := 0
	for _, n := range s.Nodes {
		if n.State == cluster.Up {
			up++
		}
	}
	for _, g := range s.Groups {
		for _, st := range g.Streams {
			for _, copied := range st.Copies {
				if copied.Offline || !copied.Current {
					return false
				}
			}
			if len(st.Copies) != 2 || st.Leader == "" {
				return false
			}
		}
	}
	return up == 3
}

// inside emits events at a node that fails, by its local socket, which a cut does
// not concern, until the function it gives is called. Few are accepted, if any;
// those that are count as all others.
func (c *trio) inside(l *load, node int, f fault) (stop func()) {
	client := socketClient(c.data(node))
	client.Timeout = time.Second
	prefix := fmt.Sprintf("%s-%d", strings.ReplaceAll(f.name, " ", "-"), time.Now().UnixNano())
	stopped := make(chan struct{})
	var emitting sync.WaitGroup
	emitting.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stopped:
				return
			case <-time.After(20 * time.Millisecond):
			}
			ids, body := loadEvents(prefix, n, 1)
			res, err := client.Post("http://node/v1/events", "application/cloudevents-batch+json", bytes.NewReader(body))
			if err != nil {
				continue
			}
			res.Body.Close() //nolint:errcheck // only its status is of interest
			if res.StatusCode == http.StatusAccepted {
				l.inside(ids)
			}
		}
	})
	return func() {
		close(stopped)
		emitting.Wait()
		client.CloseIdleConnections()
	}
}

// soakSlack is what is needed beside the faults, to start and to read what was
// recorded.
const soakSlack = 5 * time.Minute

// soakFor is how long the long form takes; 0 without RHOST_SOAK.
func soakFor(t *testing.T) time.Duration {
	if os.Getenv("RHOST_SOAK") == "" {
		return 0
	}
	text := cmp.Or(os.Getenv("RHOST_SOAK_FOR"), "10m")
	d, err := time.ParseDuration(text)
	require.NoError(t, err, "RHOST_SOAK_FOR")
	if end, ok := t.Deadline(); ok {
		if left := time.Until(end) - soakSlack; left < d {
			require.Positive(t, left, "-timeout must be %v at least", d+soakSlack)
			t.Logf("only %v are left of %v; set -timeout to %v", left.Round(time.Second), d, d+soakSlack)
			d = left
		}
	}
	return d
}

// TestClusterFaults cuts the owner off the others, under load, in a network of its
// own. In the long form (RHOST_SOAK=1) it kills, stops and cuts off each node in
// turn, for ten minutes or RHOST_SOAK_FOR, and prints what that did. In the end every
// event that was acknowledged has been matched once, and what matches emit came once.
func TestClusterFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("leases take seconds to end")
	}
	t.Parallel() // it waits most of the time
	w, ran := ownNetwork(t)
	if ran {
		return
	}
	soak := soakFor(t)
	list := faults()
	if w == nil {
		list = list[:2]
		if soak == 0 {
			t.Skip("there is no network to cut a node off of; TestClusterTakesOver has the other faults")
		}
	}
	c := startTrio(t, w)
	if soak == 0 {
		l := c.load(1, 5*time.Millisecond)
		l.more()
		t.Log(c.strike(l, list[2], c.owner(-1), 0))
		c.check(l.halt())
		return
	}
	c.current()
	l := c.load(3, 30*time.Millisecond)
	var all []struck
	for end, n := time.Now().Add(soak), 0; time.Now().Before(end); n++ {
		said := c.said()
		s := c.strike(l, list[n/3%len(list)], n%3, 2*time.Second)
		c.mend(l, &s, said)
		t.Logf("%d: node %s, %s", n, letter(n%3), s)
		all = append(all, s)
	}
	acked := l.halt()
	t.Logf("%d of %d events acknowledged by nodes that were failing\n%s", l.late, len(acked), table(all))
	c.check(acked)
}

// table sums up what faults did.
func table(all []struck) string {
	var b strings.Builder
	out := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "fault\tof\ttimes\ttake-over p50\tmax\twithout an ack p50\tmax\tlater max\twhole again p50\tmax\tevents/s before\twithout it") //nolint:errcheck // a Builder takes everything
	for _, f := range faults() {
		for _, owner := range []bool{true, false} {
			some := slices.DeleteFunc(slices.Clone(all), func(s struck) bool { return s.fault != f.name || s.owner != owner })
			if len(some) == 0 {
				continue
			}
			whose, took := "another node", "–\t–"
			if owner {
				whose, took = "the owner", middle(some, func(s struck) time.Duration { return s.took })
			}
			fmt.Fprintf(out, "%s\t%s\t%d\t%s\t%s\t%v\t%s\t%.0f\t%.0f\n", f.name, whose, len(some), took, //nolint:errcheck // as above
				middle(some, func(s struck) time.Duration { return s.gap }), largest(some, func(s struck) time.Duration { return s.after }), middle(some, func(s struck) time.Duration { return s.whole }),
				median(some, func(s struck) float64 { return s.before }), median(some, func(s struck) float64 { return s.without }))
		}
	}
	out.Flush() //nolint:errcheck // a buffer takes all
	return b.String()
}

// middle is the median and the largest, for two columns.
func middle(all []struck, of func(struck) time.Duration) string {
	return fmt.Sprintf("%v\t%v", median(all, of).Round(10*time.Millisecond), largest(all, of))
}

func largest(all []struck, of func(struck) time.Duration) time.Duration {
	return of(slices.MaxFunc(all, func(a, b struck) int { return cmp.Compare(of(a), of(b)) })).Round(10 * time.Millisecond)
}

func median[T cmp.Ordered](all []struck, of func(struck) T) T {
	values := make([]T, 0, len(all))
	for _, s := range all {
		values = append(values, of(s))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
