package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// load emits events through the nodes, each client through one of them, and for a
// while through the next one when that does not accept them. It remembers what was
// acknowledged.
type load struct {
	c       *trio
	stop    chan struct{}
	clients sync.WaitGroup

	mu    sync.Mutex
	acked []string      // guarded by mu
	last  time.Time     // guarded by mu; when something was acknowledged
	gap   time.Duration // guarded by mu; the longest time without an ack, to anybody
	late  int           // guarded by mu; of acked, by nodes that were failing
}

const loadBatch = 20

// load begins to emit events, from as many clients as given, each of which rests
// after a batch.
func (c *trio) load(clients int, rest time.Duration) *load {
	l := &load{c: c, stop: make(chan struct{}), last: time.Now()}
	for n := range clients {
		l.clients.Go(func() { l.run(n, rest) }) // ends with halt
	}
	return l
}

func (l *load) run(client int, rest time.Duration) {
	node := client % len(l.c.api)
	for batch := 0; ; batch++ {
		if batch%100 == 0 {
			node = client % len(l.c.api)
		}
		ids, body := loadEvents(fmt.Sprintf("e%d", client), batch*loadBatch, loadBatch)
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
		l.ack(ids)
		time.Sleep(rest)
	}
}

// loadEvents are n events as one batch, and their ids.
func loadEvents(prefix string, from, n int) (ids []string, body []byte) {
	var events []map[string]any
	for i := range n {
		id := fmt.Sprint(prefix, "-", from+i)
		ids = append(ids, id)
		events = append(events, map[string]any{
			"specversion": "1.0", "id": id, "source": "load", "type": "load.event", "data": map[string]any{"n": from + i, "k": 1},
		})
	}
	body, err := json.Marshal(events)
	if err != nil {
		panic(err) // maps of texts and numbers
	}
	return ids, body
}

// ack takes down what was acknowledged.
func (l *load) ack(ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = append(l.acked, ids...)
	l.gap = max(l.gap, time.Since(l.last))
	l.last = time.Now()
}

// inside takes down what a node acknowledged that was failing.
func (l *load) inside(ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked, l.late = append(l.acked, ids...), l.late+len(ids)
}

// quiet gives the longest time without an ack since it was last asked.
func (l *load) quiet() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	gap := l.gap
	l.gap = 0
	return gap
}

// count is how many events were acknowledged so far.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// more waits for more acks than there are.
func (l *load) more() {
	l.c.t.Helper()
	from := l.count()
	require.Eventually(l.c.t, func() bool { return l.count() > from+50*loadBatch }, time.Minute, 10*time.Millisecond, "nothing is accepted")
}

// rate is how many events are acknowledged a second, for a while.
func (l *load) rate(d time.Duration) float64 {
	from, began := l.count(), time.Now()
	time.Sleep(d)
	return float64(l.count()-from) / time.Since(began).Seconds()
}

// halt ends the load and returns what was acknowledged.
func (l *load) halt() []string {
	close(l.stop)
	l.clients.Wait()
	return l.acked
}

// triggered is a recorded match.
type triggered struct {
	Trigger string
	Bind    map[string][]string
}

// matches hands out the recorded matches of a rule, and reports whether these were
// all: a log that just goes to another node gives fewer.
func (c *trio) matches(rule string, fn func(triggered)) bool {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), "rhost", append([]string{"matches", "--rule", rule, "--json"}, c.reach(c.owner(-1))...)...)
	out, err := cmd.StdoutPipe()
	require.NoError(c.t, err)
	require.NoError(c.t, cmd.Start())
	for dec := json.NewDecoder(out); ; {
		var m triggered
		if dec.Decode(&m) != nil {
			break // at the end; that of a command that fails is in the middle
		}
		fn(m)
	}
	if err := cmd.Wait(); err != nil {
		c.t.Logf("matches of rule %s: %v", rule, err)
		return false
	}
	return true
}

// counts gives how often each event set off a rule, once it was n events or more.
func (c *trio) counts(rule string, n int) (seen map[string]int) {
	c.t.Helper()
	all := 0
	require.Eventually(c.t, func() bool {
		seen, all = make(map[string]int, n), 0
		return c.matches(rule, func(m triggered) { seen[m.Trigger]++; all++ }) && all >= n
	}, 2*time.Minute, time.Second, "rule %s has not matched %d times", rule, n)
	for id, n := range seen {
		if n != 1 {
			assert.Fail(c.t, "an event is matched twice", "rule %s, event %s: %d times", rule, id, n)
		}
	}
	return seen
}

// check reads what the owner has recorded.
func (c *trio) check(acked []string) {
	c.t.Helper()
	each := c.counts("each", len(acked))
	for _, id := range acked {
		if each[id] == 0 {
			assert.Fail(c.t, "an event that was acknowledged has no match", id)
		}
	}
	// What was stored and not acknowledged is matched as well, each by each rule.
	assert.Len(c.t, c.counts("echo", len(each)), len(each), "one emitted event for each match")
	assert.Len(c.t, c.counts("five", len(each)/5), len(each)/5)
	counted := make(map[string]bool, len(each))
	require.True(c.t, c.matches("five", func(m triggered) {
		for _, id := range m.Bind["e"] {
			if counted[id] {
				assert.Fail(c.t, "an event is counted twice", id)
			}
			counted[id] = true
		}
	}))
	c.t.Logf("%d events acknowledged, %d matched", len(acked), len(each))
}
