package host

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/host/eventlog"
)

// maxChanges is how many of the rules that a revision made a difference to are
// told one by one.
const maxChanges = 100

// Revision is a change of rules that came into force, and what became of the
// partial matches that were open then.
type Revision struct {
	At      time.Time    `json:"at"`
	Digest  string       `json:"digest"`
	Text    string       `json:"text"`              // +added ~changed -removed rules, tables and schemas
	Changes []RuleChange `json:"changes,omitempty"` // of rules that had something open
	More    int          `json:"more,omitempty"`    // changes that are left out of these
}

// RuleChange is what a revision did to what one rule had open.
type RuleChange struct {
	Rule   string `json:"rule"`
	Action string `json:"action"` // kept, drained, reset or dropped
	Open   int    `json:"open"`   // partial matches; of a rule over windows or values, keys
	Why    string `json:"why,omitempty"`
}

// revise puts the rule set of a revision in force.
func (l *lane) revise(ctx context.Context, r *eventlog.Record) error {
	was := l.rules
	set, err := l.lib.after(ctx, was, r.Key)
	if err != nil {
		return fmt.Errorf("rules %s, in force from %s of the log: %w", r.Key, l.pos, err)
	}
	for _, c := range l.late { // the set was made beside these
		set = set.with(set.Program.Apply(c))
	}
	l.forgetLate()
	l.rules = set
	l.inForce.Store(set)
	changes := l.matcher.Swap(set.Program)
	l.matcher.SetTables(set.Tables)
	l.date(was, set, r.Ingest)
	rev := revisionOf(set, changes, r.Ingest)
	l.revision.Store(rev)
	l.worn = true
	if l.recovering {
		l.joinNow()
	}
	if !l.live() {
		return nil
	}
	if was.row != "" && !set.change.none() {
		l.tell(ctx, rev)
	}
	return l.record(ctx, eventlog.RunRecord{Kind: runRules, Key: r.Key})
}

// date notes since when rules are as they are.
func (l *lane) date(was, set *RuleSet, at time.Time) {
	if was.row == "" {
		l.began = at
		return
	}
	for _, names := range [][]string{set.change.added, set.change.altered} {
		for _, name := range names {
			l.since[name] = at
		}
	}
	for _, name := range set.change.gone {
		delete(l.since, name)
	}
}

// inForceSince is when the rule of that name became what it is.
func (l *lane) inForceSince(name string) time.Time {
	if at, ok := l.since[name]; ok {
		return at
	}
	return l.began
}

func revisionOf(set *RuleSet, changes []cep.Change, at time.Time) *Revision {
	rev := &Revision{At: at, Digest: set.Digest, Text: set.change.String(), More: max(0, len(changes)-maxChanges)}
	for _, c := range changes[:min(len(changes), maxChanges)] {
		rev.Changes = append(rev.Changes, RuleChange{c.Rule, c.Action.String(), c.Open, c.Why})
	}
	return rev
}

// tell passes a revision on to those who say so. Whoever is slow to say it misses
// some: the lane does not wait for a terminal.
func (l *lane) tell(ctx context.Context, rev *Revision) {
	l.logger.Info("rules are in force", "digest", rev.Digest, "changes", rev.Text)
	for _, c := range rev.Changes {
		attrs := []slog.Attr{slog.String("rule", c.Rule), slog.String("action", c.Action), slog.Int("open", c.Open)}
		if c.Why != "" {
			attrs = append(attrs, slog.String("why", c.Why))
		}
		l.logger.LogAttrs(ctx, slog.LevelInfo, "partial matches of a changed rule", attrs...)
	}
	select {
	case l.revisions <- rev:
	default:
		l.logger.Warn("a change of rules is not shown: the output is slower than the changes", "changes", rev.Text)
	}
}

// announce reports revisions until ctx ends.
func (h *Host) announce(ctx context.Context) error {
	for {
		select {
		case rev := <-h.lane.revisions:
			h.report(Notice{Kind: "reloaded", Text: "rules: " + rev.Text, Revision: rev})
		case <-ctx.Done():
			return nil
		}
	}
}

// A stream of edits leaves the index of conditions in pieces, which cost every
// event a little. Joining them takes long, so it is done in a goroutine of its
// own, one joining at a time, while events and edits go on; the lane puts the
// result in place between two events, where it changes nothing but the speed.

// joined is a joining that has ended.
type joined struct {
	c   cep.Compaction
	err error
}

// joinLoop does the joinings that the lane asks for.
func (l *lane) joinLoop(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case c := <-l.joins:
			l.joinings <- joined{c, c.Run()} // there is room: one is under way at a time
		}
	}
}

// join begins a joining, if one is worth while and none is under way.
func (l *lane) join() {
	if len(l.late) > 0 {
		l.forgetLate()
	}
	if !l.worn || l.joining {
		return
	}
	c, worth := l.rules.Program.Compact()
	l.worn, l.joining = worth, worth
	if worth {
		l.joins <- c
	}
}

// onJoined puts the result of a joining in place. A rule set that is being made
// meanwhile, or waits in the log, is given it once that comes into force.
func (l *lane) onJoined(j joined) {
	l.joining = false
	if j.err != nil {
		l.worn = false // until the next edit
		l.logger.Error("the index of rules stays in pieces", "error", j.err)
		return
	}
	l.worn = true
	l.apply(j.c)
	if l.lib.expecting() { // asked last: who begins to make a set now begins with this
		l.late = append(l.late, j.c)
	}
}

func (l *lane) apply(c cep.Compaction) {
	p := l.rules.Program.Apply(c)
	if p == l.rules.Program {
		return
	}
	l.rules = l.rules.with(p)
	l.inForce.Store(l.rules)
	l.matcher.Swap(p)
}

// forgetLate lets go of joinings that no set needs any more.
func (l *lane) forgetLate() {
	if !l.lib.expecting() {
		l.late = nil
	}
}

// joinNow joins at once, where no goroutine runs yet.
func (l *lane) joinNow() {
	for c, worth := l.rules.Program.Compact(); worth; c, worth = l.rules.Program.Compact() {
		if err := c.Run(); err != nil {
			l.logger.Error("the index of rules stays in pieces", "error", err)
			return
		}
		was := l.rules
		if l.apply(c); l.rules == was {
			return
		}
	}
	l.worn = false
}
