package host

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/eventlog"
)

// simVariants is how many versions of the rules there are.
const simVariants = 16

// layout is how the events of a group are spread.
func (g *simGroup) layout() laneLayout {
	by, err := event.ParsePath("data.k")
	if err != nil {
		g.w.broken("path: %v", err)
	}
	return laneLayout{n: g.lanes, by: by}
}

// simStateless are the rules that look at one event at a time.
var simStateless = []string{"loop", "count", "counted", "saga"}

// simRules are rules of every kind, in one of their versions.
func simRules(variant int) []RuleFile {
	or := func(bit int, no, yes string) string {
		if variant&bit != 0 {
			return yes
		}
		return no
	}
	return []RuleFile{
		{Name: "rules/a.yaml", Text: strings.NewReplacer("WITHIN", or(1, "20s", "50s"), "SOON", or(2, "1m", "2m"), "LET", or(8, "n: count()", "n: count(), m: count()"),
			"WHOM", or(4, "data.u", "data.k")).Replace(`
rule: pair
when: {pattern: 'a then b', define: {a: type == "a", b: type == "b"}, by: data.k, within: WITHIN, on_timeout: emit}
do:
  - {run: count, with: {k: "${event.data.k}"}, retry: {max: 6, backoff: 3s..40s}}
---
rule: many
when: {window: tumbling 30s, where: 'type == "a"', by: data.k, let: {LET}, having: n > 1}
do: [{notify: windows, with: {n: "${n}"}}]
---
rule: burst
when: {pattern: 'c{3}', define: {c: type == "c"}, within: SOON, skip: past-last}
do:
  - emit: {type: e, data: {k: 1}}
  - {run: keep, with: {k: burst}, retry: {max: 3, backoff: 2s}}
---
rule: cross
when: {pattern: 'a then n', define: {a: type == "a", n: type == "n"}, by: WHOM, within: 40s}
do: [{notify: crossed}]
---
rule: loop
when: type == "e"
do: [{emit: {type: e, data: {k: 0}}}]
`)},
		{Name: "rules/b.yaml", Text: strings.NewReplacer("TIMES", or(4, "6", "7")).Replace(`
rule: count
when: type == "n"
do:
  - {run: count, with: {k: "${event.data.k}"}, retry: {max: TIMES, backoff: 5s..1m}}
  - emit: {type: counted, data: {k: "${event.data.k}", n: "${steps.count.out.n}"}}
---
rule: counted
when: type == "counted"
do: [{notify: told, with: {n: "${event.data.n}"}}]
---
rule: saga
when: type == "s"
do:
  - {run: book, with: {k: "${event.data.k}"}, retry: {max: 3, backoff: 2s}, undo: {run: cancel, retry: {max: 4, backoff: 1s}}}
  - {run: keep, with: {k: "${event.data.k}"}, retry: {max: 3, backoff: 2s}}
  - {run: pay, retry: {max: 2, backoff: 30s, jitter: none}}
  - notify: paid
on_failure:
  - notify: unpaid
`)},
	}
}

// simSets are rule sets that were compiled before: schedules share them as they share
// the binary. Later edits are compiled each time.
type simSets struct {
	mu     sync.Mutex
	starts [simVariants]*RuleSet // before any revision
	byRow  map[string]*RuleSet   // guarded by mu; first and second revisions
}

var simCompiled = simSets{byRow: make(map[string]*RuleSet)}

// update gives the rule set of a variant after was.
func (s *simSets) update(was *RuleSet, variant int) (*RuleSet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.starts[variant]
	if first == nil {
		set, err := CompileRules(simRules(variant))
		if err != nil {
			return nil, err
		}
		s.starts[variant], first = set, set
		s.byRow[set.row] = set
	}
	if set := s.byRow[was.next(first.Digest)]; set != nil {
		return set, nil
	}
	set, err := was.update(first.Files, first.parts...)
	if err == nil && s.byRow[was.row] != nil && len(s.byRow) < simVariants*simVariants {
		s.byRow[set.row] = set
	}
	return set, err
}

// tell has a library know what was compiled before: the rules of the app folder, as a
// host does that starts, and others.
func (s *simSets) tell(lib *ruleLibrary, variant int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if set := s.starts[variant]; set != nil {
		lib.know(set)
	}
	for _, set := range s.byRow {
		lib.prepare(set)
	}
}

// putRules puts the rules of the app folder in force, if others are.
func (o *simOwner) putRules() {
	l := o.lane
	if o.rules != nil {
		_, done, err := o.rules.Poll()
		if !done {
			return
		}
		o.rules = nil
		if err != nil {
			l.lib.forget(o.set)
		} else if l.inForce.Load().row != "" {
			o.w.did["rules were edited"]++
		}
		o.set = nil
		return
	}
	was := l.inForce.Load()
	if was.row != "" && o.w.pick(4) > 0 && !o.w.calm || l.pos != o.log.Tail() {
		return
	}
	set, err := simCompiled.update(was, o.g.variant)
	if err != nil {
		o.w.broken("rules: %v", err)
		return
	}
	if set.Digest == was.Digest {
		return
	}
	if err = l.lib.keep(simCtx, set); err == nil {
		o.set = set
		o.rules, err = o.log.Committer().Submit([]eventlog.Record{{Kind: eventlog.Revision, Tenant: "default", Key: set.Digest}})
		o.say("puts the rules %d in force", o.g.variant)
	}
	if err != nil {
		l.lib.forget(set)
	}
}

func TestSimRules(t *testing.T) {
	for v := range simVariants {
		_, err := CompileRules(simRules(v))
		require.NoError(t, err)
	}
}
