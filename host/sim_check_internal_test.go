package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/workflow"
)

// simCheck holds what came of a group against the guarantee: an acked event is
// processed; state, emitted events, workflow starts and notifications are
// effectively once; external effects are at least once, each with a stable
// idempotency key. It knows the outside of the world and the two streams, and what
// one matcher says that nobody has interrupted.
type simCheck struct {
	*simWorld
	g *simGroup
	o *simOwner

	acts     []string                 // matches that start an execution, as one matcher finds them
	messages map[string]int           // that may have been published
	inRun    map[string]bool          // ids of matches
	emitted  map[string]bool          // ids of events that RUN says were emitted
	seen     map[string]int           // ids of events in EV
	bad      map[string]int           // bad records in RUN
	flows    map[string]*simHistoryOf // by execution
}

// simHistoryOf is what RUN says of one execution.
type simHistoryOf struct {
	match     string
	finished  bool
	scheduled map[string]uint64 // frame of RUN, by command and attempt
	ended     map[string]bool   // attempts
}

func (w *simWorld) checkGroup(g *simGroup, o *simOwner) {
	c := &simCheck{
		simWorld: w, g: g, o: o, messages: make(map[string]int), emitted: make(map[string]bool),
		seen: make(map[string]int), inRun: make(map[string]bool), flows: make(map[string]*simHistoryOf),
	}
	for _, other := range w.owners {
		if other.g == g && other.log != nil {
			other.poll()
			for _, r := range other.requests {
				other.answered(r)
			}
		}
	}
	g.ev.mustRead(w, 0)
	g.run.mustRead(w, 0)
	if len(w.problems) > 0 {
		return
	}
	c.writers(g.ev)
	c.writers(g.run)
	matches := c.matches()
	c.runs(matches)
	c.events()
	c.badRecords()
	c.calls()
	c.published()
	c.end()
}

// writers checks that after a claim nobody else has written.
func (c *simCheck) writers(h *simHistory) {
	if !c.claims {
		return
	}
	owner := uint64(0)
	for i, f := range h.frames {
		by := c.g.sent[simFrame{h.kind, f.Seq, h.hashes[i]}]
		if by == 0 {
			c.broken("nobody has written frame %d of stream %d", f.Seq, h.kind)
		}
		claim := len(f.Records) > 0 && f.Records[0].Kind == eventlog.Claim || len(f.Runs) > 0 && f.Runs[0].Kind == eventlog.RunClaim
		if claim {
			owner = by
		} else if by != owner {
			c.broken("process %d has written frame %d of stream %d, which process %d had claimed", by, f.Seq, h.kind, owner)
		}
	}
}

// flow follows the history of an execution, and gives state its effects.
func (c *simCheck) flow(seq uint64, rec workflow.Record, st *state, fold *actionFold) {
	x := c.flows[rec.Execution]
	if rec.Started != nil {
		if x != nil {
			c.broken("execution %s is started twice", rec.Execution)
		}
		c.flows[rec.Execution] = &simHistoryOf{match: rec.Started.Key, scheduled: make(map[string]uint64), ended: make(map[string]bool)}
		return
	}
	if x == nil {
		c.broken("execution %s goes on and was never started", rec.Execution)
		return
	}
	undo := strings.HasPrefix(string(rec.Kind), "undo_")
	attempt := func(step string, n int) string { return fmt.Sprint(commandID(rec.Execution, step, undo), " ", n) }
	switch {
	case rec.Scheduled != nil:
		id := attempt(rec.Scheduled.Step, rec.Scheduled.Attempt)
		if x.scheduled[id] > 0 {
			c.broken("%s is scheduled twice", id)
		}
		x.scheduled[id] = seq
	case rec.Failed != nil:
		c.ended(x, attempt(rec.Failed.Step, rec.Failed.Attempt))
	case rec.Succeeded != nil:
		c.ended(x, attempt(rec.Succeeded.Step, rec.Succeeded.Attempt))
		c.effects(rec, st, fold.open[rec.Execution])
	case rec.Finished != nil:
		x.finished = true
		if rec.Finished.Status == workflow.StatusCompensated {
			c.did["what was done was undone"]++
		}
	case rec.Redriven != nil:
		x.finished = false
	}
}

func (c *simCheck) ended(x *simHistoryOf, attempt string) {
	if x.ended[attempt] {
		c.broken("%s has ended twice", attempt)
	}
	x.ended[attempt] = true
}

// effects does what a success says, as somebody would who reads RUN alone.
func (c *simCheck) effects(rec workflow.Record, st *state, run *openExecution) {
	for i, e := range rec.Succeeded.Effects {
		switch e.Kind {
		case workflow.EffectStateSet:
			if e.Expect != nil && !st.holds(e.Name, *e.Expect) {
				c.broken("%s of %s writes %s, which had changed since", rec.Succeeded.Step, rec.Execution, e.Name)
			}
			st.set(e.Name, e.Value)
			if n, counts := strings.CutPrefix(e.Name, "n/"); counts {
				if _, version, _ := st.get(e.Name); string(e.Value) != strconv.FormatUint(version, 10) {
					c.broken("after %d increments %s is %s", version, n, e.Value)
				}
			}
		case workflow.EffectKVSet:
			st.kv.set(e.Name, e.Bytes, e.Expires)
		case workflow.EffectNotify:
			c.messages[e.Name+" "+run.Match+" "+string(e.Value)]++
		case workflow.EffectEmit:
			if run.depth < maxDepth {
				c.emitted[rec.EffectID(i)] = true
			}
		}
	}
}

// badRecords checks that the lines that no source could read are kept, each as often
// as EV has it.
func (c *simCheck) badRecords() {
	n, kept := 0, 0
	for _, s := range c.g.sources {
		for line := range s.lines {
			if s.bad(line) {
				n++
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.bad)) {
		source, _, _ := strings.Cut(strings.TrimPrefix(id, "bad/"), "/")
		if in := c.seen["/rhost/sources/"+source+" "+id]; c.bad[id] != in {
			c.broken("the bad record %s is in EV %d times and in RUN %d times", id, in, c.bad[id])
		}
		kept += c.bad[id]
	}
	if len(c.bad) != n || len(c.o.lane.bad.list) != kept {
		c.broken("there are %d bad records; RUN has %d of them, and the lane %d for %d", n, len(c.bad), len(c.o.lane.bad.list), kept)
	}
}

// sameState compares what the lane holds with the fold of all effects.
func (c *simCheck) sameState(want *state) {
	for _, key := range append(slices.Sorted(maps.Keys(want.values.over)), slices.Sorted(maps.Keys(want.values.base))...) {
		value, version, _ := want.get(key)
		got, gotVersion, _ := c.o.lane.state.get(key)
		if !bytes.Equal(value, got) || version != gotVersion {
			c.broken("the state of %s is %s in version %d; its effects make %s in version %d", key, got, gotVersion, value, version)
		}
	}
	for _, k := range []string{"burst", "k0", "k1", "k2"} {
		value, _ := want.kv.get("kv/"+k, c.now)
		if got, _ := c.o.lane.state.kv.get("kv/"+k, c.now); !bytes.Equal(value, got) {
			c.broken("kv/%s is %s; its effects make %s", k, got, value)
		}
	}
}

// events checks that EV holds what was acked, and what was emitted, each once.
func (c *simCheck) events() {
	at := make(map[string]time.Time)
	for _, f := range c.g.ev.frames {
		for i := range f.Records {
			if f.Records[i].Kind != eventlog.Event {
				continue
			}
			ev, _, err := event.DecodeBinary(f.Records[i].Body)
			if err != nil {
				c.broken("frame %d of EV: %v", f.Seq, err)
				return
			}
			id := ev.Source + " " + ev.ID
			// A client that sends an event again after the window has it twice.
			before, twice := at[id]
			if twice {
				c.did["an event came again after the window"]++
			}
			if twice && f.At.Sub(before) <= eventlog.DefaultDedupWindow {
				c.broken("the event %s is in EV twice, at %v and frame %d", id, before.Sub(testDay), f.Seq)
			}
			at[id] = f.At
			c.seen[id]++
			if strings.HasPrefix(ev.Source, "/rhost/rules/") && !c.emitted[ev.ID] {
				c.broken("nobody has emitted the event %s", ev.ID)
			}
			if strings.HasPrefix(ev.Source, "/rhost/rules/") {
				c.seen[ev.ID]++
			}
		}
	}
	for _, e := range c.g.events {
		switch n := c.seen["/client "+e.ev.ID]; {
		case e.acked && n == 0:
			c.broken("the event %s was acked and is lost", e.ev.ID)
		case !e.acked && !e.unsure && n > 0:
			c.broken("the event %s was refused, and is in EV", e.ev.ID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.emitted)) {
		if c.seen[id] != 1 {
			c.broken("the emitted event %s is in EV %d times", id, c.seen[id])
		}
	}
	c.sourceLines()
}

func (c *simCheck) sourceLines() {
	for _, s := range c.g.sources {
		for line := range s.lines {
			e := s.event(line)
			if !s.bad(line) && c.seen[e.Source+" "+e.ID] == 0 {
				c.broken("line %d of %s is lost", line, s.name)
			}
		}
		if got := string(c.o.lane.cursors[s.name]); got != strconv.Itoa(s.lines) {
			c.broken("%s was read to line %d; its cursor says %q", s.name, s.lines, got)
		}
	}
}

// calls checks the executions, and what the outside has seen of them.
func (c *simCheck) calls() {
	var started []string
	keys := make(map[string]string)
	called := make(map[string]bool)
	for i := range c.g.calls {
		call := &c.g.calls[i]
		x := c.flows[call.id[:strings.Index(call.id, "/")]]
		id := fmt.Sprint(call.id, " ", call.attempt)
		if called[id] {
			c.did["an action ran again with its key"]++
		}
		called[id] = true
		if x == nil || x.scheduled[id] == 0 {
			c.broken("%s was called, and there is no intent in RUN", id)
			continue
		}
		if call.since < x.scheduled[id] {
			c.broken("%s was called by process %d before its intent was on disk", id, call.owner)
		}
		if key, ok := keys[id]; ok && key != call.key {
			c.broken("%s was called with the keys %s and %s", id, key, call.key)
		}
		keys[id] = call.key
	}
	for _, id := range slices.Sorted(maps.Keys(c.flows)) {
		x := c.flows[id]
		started = append(started, x.match)
		if !x.finished {
			c.broken("the execution %s never ends", id)
		}
		for _, attempt := range slices.Sorted(maps.Keys(x.scheduled)) {
			if !called[attempt] || !x.ended[attempt] {
				c.broken("%s was to be called; called: %t, ended: %t", attempt, called[attempt], x.ended[attempt])
			}
		}
	}
	want := slices.Sorted(slices.Values(c.acts))
	if slices.Sort(started); !slices.Equal(want, started) {
		c.broken("%d matches act; %d executions were started; %s", len(want), len(started), simDifference(want, started))
	}
}

// simDifference names what only one of two sorted lists has.
func simDifference(want, got []string) string {
	var b strings.Builder
	for _, id := range want {
		if !slices.Contains(got, id) {
			fmt.Fprintf(&b, "%s is missing ", id)
		}
	}
	for _, id := range got {
		if !slices.Contains(want, id) {
			fmt.Fprintf(&b, "%s is too many ", id)
		}
	}
	return b.String()
}

// published checks that those who watched were told of nothing that is not in RUN,
// and of nothing twice.
func (c *simCheck) published() {
	for _, text := range slices.Sorted(maps.Keys(c.g.told)) {
		if n, most := c.g.told[text], c.messages[text]; n > most {
			c.broken("told %d times: %s; RUN has it %d times", n, text, most)
		}
	}
}

// end checks that nothing is left to do, and that a process started now would know
// the same.
func (c *simCheck) end() {
	l := c.o.lane
	if at, ok := l.matcher.NextDeadline(); ok && !at.After(l.now()) {
		c.broken("the matcher waits for %v, which is over", at.Sub(testDay))
	}
	if l.flows.Len() > 0 || len(l.running) > 0 {
		c.broken("%d executions are open and %d actions run", l.flows.Len(), len(l.running))
	}
	if len(c.problems) > 0 || c.plant != plantNothing {
		return
	}
	o := c.takeOver(c.g, c.o.node)
	for !o.over && !o.running {
		o.step()
	}
	if o.over {
		return
	}
	if got, want := simStateOf(o.lane), simStateOf(l); got != want {
		c.broken("a new owner knows %s and not %s", got, want)
	}
}

// simStateOf is what a lane knows, in words.
func simStateOf(l *lane) string {
	var b strings.Builder
	for _, k := range []string{"last", "n/k0", "n/k1", "n/k2"} {
		v, version, _ := l.state.get(k)
		fmt.Fprintf(&b, "%s=%s@%d ", k, v, version)
	}
	cursors, err := json.Marshal(l.cursors)
	fmt.Fprint(&b, l.flows.Len(), " open ", len(l.flows.DeadLetters()), " letters ", len(l.bad.list), " bad ", string(cursors), err,
		" rules ", l.rules.Digest, " to send ", len(l.emits))
	return b.String()
}
