package host

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/host/workflow"
)

// simWant is what RUN must hold of matches: those of one record of EV after those of
// another. Several that one record causes have one order on one lane, and another on
// several.
type simWant struct {
	groups [][]eventlog.RunRecord
	left   int
}

// take finds what RUN holds next.
func (s *simWant) take(key string) (eventlog.RunRecord, bool) {
	for len(s.groups) > 0 && len(s.groups[0]) == 0 {
		s.groups = s.groups[1:]
	}
	if len(s.groups) == 0 {
		return eventlog.RunRecord{}, false
	}
	group := s.groups[0]
	at := slices.IndexFunc(group, func(r eventlog.RunRecord) bool { return r.Key == key })
	if at < 0 {
		return group[0], false
	}
	found := group[at]
	s.groups[0] = slices.Delete(group, at, at+1)
	s.left--
	return found, true
}

// exact reports whether the matches of a rule are those of one matcher that nobody
// has interrupted.
func (c *simCheck) exact(rule string) bool {
	return !c.g.rebuilt || slices.Contains(simStateless, rule)
}

// matches are the records that RUN must hold of matches.
func (c *simCheck) matches() *simWant {
	lib := newRuleLibrary(simEverything{c.g})
	simCompiled.tell(lib, c.g.variant)
	set, err := noRules()
	if err != nil {
		c.broken("no rules: %v", err)
		return nil
	}
	m := cep.NewMatcher(set.Program, cep.Options{Tenant: "default"})
	want := &simWant{}
	var found []cep.Match
	names := make(map[string]bool)
	seq, last := uint64(0), time.Time{}
	for _, f := range c.g.ev.frames {
		for i := range f.Records {
			r := &f.Records[i]
			if r.Ingest.Before(last) {
				c.broken("frame %d of EV goes back in time", f.Seq)
			}
			last = r.Ingest
			if r.Kind == eventlog.Claim {
				continue
			}
			if seq++; r.LaneSeq != seq {
				c.broken("frame %d of EV: record %d of its lane says it is %d", f.Seq, seq, r.LaneSeq)
			}
			if r.Kind == eventlog.Revision {
				if set, err = lib.after(simCtx, set, r.Key); err != nil {
					c.broken("rules %s: %v", r.Key, err)
					return nil
				}
				m.Swap(set.Program)
				m.SetTables(set.Tables)
			}
			if found, err = feed(m, r, found[:0]); err != nil {
				c.broken("frame %d of EV: %v", f.Seq, err)
			}
			var group []eventlog.RunRecord
			for k := range found {
				if !c.exact(found[k].Rule.Name) {
					continue
				}
				acts := lib.flow(found[k].Rule.Version) != nil && found[k].Rule.Mode == cep.Live && !found[k].Timeout
				rec := matchRecord(&found[k], 0, acts)
				if names[rec.Key] {
					c.broken("one matcher finds the match %s twice", rec.Key)
				}
				names[rec.Key] = true
				group = append(group, rec)
				if acts {
					c.acts = append(c.acts, found[k].ID)
				}
				c.messages[notify.TopicMatches+" "+found[k].ID+" "+string(rec.Body)]++
			}
			want.groups, want.left = append(want.groups, group), want.left+len(group)
		}
	}
	return want
}

// runs checks RUN against the matches, and follows what it says of executions.
func (c *simCheck) runs(want *simWant) {
	st, fold := newState(), newActionFold()
	bad := make(map[string]int)
	var progress eventlog.Position
	for _, f := range c.g.run.frames {
		for i := range f.Runs {
			r := &f.Runs[i]
			switch r.Kind {
			case runMatch:
				c.match(f.Seq, r, want)
			case runFlow:
				rec, err := workflow.DecodeRecord(r.Body)
				if err != nil {
					c.broken("frame %d of RUN: %v", f.Seq, err)
					return
				}
				fold.fold(rec)
				c.flow(f.Seq, rec, st, fold)
			case runBad:
				bad[r.Key]++
			case runProgress:
				p, err := decodeProgress(r.Body)
				if err != nil || p.Compare(progress) < 0 {
					c.broken("frame %d of RUN: progress goes back from %v to %v: %v", f.Seq, progress, p, err)
				}
				progress = p
			default:
			}
			if len(c.problems) > 0 {
				return
			}
		}
	}
	if next, _ := want.take(""); want.left > 0 {
		c.broken("%d matches are not in RUN, the first is %s", want.left, next.Key)
	}
	if tail := c.o.log.Tail(); progress != tail {
		c.broken("EV ends at %v; RUN says it was processed up to %v", tail, progress)
	}
	c.bad = bad
	c.sameState(st)
}

// match checks a match that is in RUN.
func (c *simCheck) match(seq uint64, r *eventlog.RunRecord, want *simWant) {
	var rec MatchRecord
	var line struct {
		Rule string `json:"rule"`
	}
	err := json.Unmarshal(r.Body, &rec)
	if err == nil {
		err = json.Unmarshal(rec.Line, &line)
	}
	if err != nil {
		c.broken("frame %d of RUN: the match %s: %v", seq, r.Key, err)
	}
	if c.inRun[r.Key] {
		c.broken("frame %d of RUN has the match %s again", seq, r.Key)
	}
	c.inRun[r.Key] = true
	if !c.exact(line.Rule) {
		if rec.Acts {
			c.acts = append(c.acts, r.Key)
		}
		c.messages[notify.TopicMatches+" "+r.Key+" "+string(r.Body)]++
		return
	}
	next, ok := want.take(r.Key)
	switch {
	case next.Key == "":
		c.broken("frame %d of RUN has a match too many: %s", seq, r.Key)
	case !ok:
		c.broken("frame %d of RUN has the match %s; the next in EV is %s", seq, r.Key, next.Key)
	case !bytes.Equal(r.Body, next.Body):
		c.broken("frame %d of RUN says of the match %s %s; EV says %s", seq, r.Key, r.Body, next.Body)
	}
}
