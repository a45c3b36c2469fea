package host

import (
	"bufio"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/form"
	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/host/workflow"
)

// laneCapture is the state of a lane between two steps of its goroutine: what
// recovery would have made of RUN up to the frame Run, and of EV up to At, every
// decision on which lies in RUN up to that frame.
//
// In it are all that a replay of the whole log rebuilds:
//
//   - origin, position, cursors of the sources;
//   - the rule set in force: its digest, the row of revisions that led to it, the
//     order of its rules, since when they are as they are, the latest revision;
//   - the matcher, and the text of rule versions that drain;
//   - executions that are open, dead letters, keys that finished lately, and the
//     text of rules of the past whose steps they go on with;
//   - state and kv, bad records, emitted events that are not in EV yet;
//   - what tenants hold of the log, up to a frame of EV at or after At;
//   - the history of topics that are kept.
//
// The rest need not be. What is known beyond the progress is nothing at such a
// moment, as its batch ends with the position. Commands that run are given out
// again, as after any crash, and so timers, turns for state and the fold of actions
// follow from the executions. Compiled programs follow from the texts, and lookup
// tables from the rule set. Ticks under way are made again. The counts of what
// happened are those since the host began, and start from zero as they always did;
// those of rules are the matcher's. What the log itself keeps in memory, such as
// duplicates and numbers of lanes, it rebuilds from its own frames.
type laneCapture struct {
	tenant, origin string
	life           string
	at             eventlog.Position
	taken          time.Time
	rules          *RuleSet
	began          time.Time
	since          map[string]time.Time
	revision       *Revision
	matcher        *cep.LanesCapture
	draining       []*cep.Rule
	flows          *workflow.Capture
	values         map[string]stateValue
	kv             map[string]kvValue
	cursors        map[string][]byte
	bad            []BadRecord
	holdings       holdings
	topics         []notify.Topic

	known      int             // how far the library of rules had come
	digests    map[string]bool // of definitions that executions are pinned to; known once flows are written
	tail       captureTail
	tailBefore []*batch // batches that were not on disk, whose emitted events get their numbers there
}

// captureTail is what is known of a capture only once its batch is on disk.
type captureTail struct {
	run   uint64 // sequence of the batch
	emits []emitted
}

// write writes all but the tail.
func (c *laneCapture) write(f *formWriter, lib *ruleLibrary) {
	f.Text(c.tenant)
	f.Text(joinOrigin(c.origin, c.life))
	f.Uint(c.at.Frame)
	f.Uint(uint64(c.at.Index))
	f.Time(c.taken)
	c.writeRules(f)
	f.Uint(uint64(len(c.cursors)))
	for name, cursor := range c.cursors {
		f.Text(name)
		f.Bytes(cursor)
	}
	f.json(c.bad)
	f.Bytes(c.matcher.Append(nil))
	c.writeFlows(f)
	c.writeSources(f, lib)
	f.Uint(uint64(len(c.values)))
	for key, v := range c.values {
		f.Text(key)
		f.Uint(v.version)
		f.Raw(v.json)
	}
	f.Uint(uint64(len(c.kv)))
	for key, v := range c.kv {
		f.Text(key)
		f.Bytes(v.bytes)
		f.Time(v.expires)
	}
	c.holdings.write(f)
	f.Uint(uint64(len(c.topics)))
	for i := range c.topics {
		f.topic(&c.topics[i])
	}
}

// joinOrigin makes one text of where a log comes from; splitOrigin is its inverse. A
// log that was never restored has only the first part.
func joinOrigin(origin, life string) string {
	if life == "" {
		return origin
	}
	return origin + " " + life
}

func splitOrigin(text string) (origin, life string) {
	origin, life, _ = strings.Cut(text, " ")
	return origin, life
}

// writeRules writes which rules are in force. Their texts are in the blobs of the
// log, under the digest.
func (c *laneCapture) writeRules(f *formWriter) {
	f.Text(c.rules.row)
	f.Text(c.rules.Digest)
	f.Uint(uint64(c.rules.edited))
	f.texts(c.rules.order())
	f.Time(c.began)
	f.Uint(uint64(len(c.since)))
	for name, at := range c.since {
		f.Text(name)
		f.Time(at)
	}
	f.json(c.revision)
}

func (c *laneCapture) writeFlows(f *formWriter) {
	c.digests = make(map[string]bool)
	if f.Err() == nil {
		f.Broken(c.flows.WriteTo(f.W, func(definition string) { c.digests[definition] = true }))
	}
}

// writeSources writes the text of rules that are not in force any more, and are
// needed: because they drain, or because executions go on with their steps.
func (c *laneCapture) writeSources(f *formWriter, lib *ruleLibrary) {
	f.Uint(uint64(len(c.draining)))
	for _, r := range c.draining {
		f.source(r.Source())
	}
	current := make(map[string]bool)
	for _, p := range c.rules.parts {
		for _, def := range p.flows {
			current[def.Digest()] = true
		}
	}
	sources := lib.sources(c.digests, current)
	f.Uint(uint64(len(sources)))
	for _, s := range sources {
		f.source(s)
	}
}

// writeTail ends the snapshot.
func (c *laneCapture) writeTail(f *formWriter) {
	f.Uint(c.tail.run)
	f.Uint(uint64(len(c.tail.emits)))
	for i := range c.tail.emits {
		e := &c.tail.emits[i]
		f.Uint(e.seq)
		f.Uint(uint64(e.depth))
		f.Bytes(e.event.AppendBinary(nil))
	}
}

func (f *formWriter) source(s cep.Source) {
	f.Text(s.File)
	f.Uint(uint64(s.Line))
	f.Text(s.Text)
}

func (f *formWriter) texts(list []string) {
	f.Uint(uint64(len(list)))
	for _, s := range list {
		f.Text(s)
	}
}

func (f *formWriter) json(v any) {
	b, err := json.Marshal(v)
	f.Broken(err)
	f.Bytes(b)
}

// encode gives the bytes of the snapshot; settle is asked for the tail once the
// rest is written, and may take its time.
func (c *laneCapture) encode(lib *ruleLibrary, settle func() error) ([]byte, error) {
	s, err := newSealer()
	if err != nil {
		return nil, err
	}
	f := &formWriter{form.Writer{W: bufio.NewWriterSize(s.z, 1<<16)}}
	c.write(f, lib)
	if f.Err() == nil {
		f.Broken(settle())
	}
	if f.Err() == nil { // without it, the lane may still be adding to the tail
		c.writeTail(f)
	}
	f.Broken(f.W.Flush())
	b, err := s.seal()
	if f.Err() != nil {
		return nil, f.Err()
	}
	return b, err
}

// order gives the names of the rules in the order in which they match, or nil where
// that is the order of the files.
func (s *RuleSet) order() []string {
	if s.Program == nil {
		return nil
	}
	names := make([]string, 0, s.Program.Len())
	s.Program.All(func(r *cep.Rule) bool {
		names = append(names, r.Name)
		return true
	})
	var filed []string
	s.rules(func(r *cep.Rule) { filed = append(filed, r.Name) })
	if slices.Equal(names, filed) {
		return nil
	}
	return names
}
