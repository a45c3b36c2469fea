package cep

import (
	"math"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// score compiles how sure a match is: an expression over what is bound.
func (c *compiler) score(pl *plan) {
	w := &pl.rule.When
	pos := w.ScorePos
	pos.Col -= len("${") // which is not in the file
	t, err := c.set.CompileTemplate(scopeOf(pl.rule), "${"+w.Score+"}", pos)
	if err != nil {
		c.placed(w.ScorePos, "when.score", err)
		return
	}
	if t.Refs().AllSteps || len(t.Refs().Steps) > 0 {
		c.errs = append(c.errs, yamldoc.Errorf(w.ScorePos, "when.score", "rule-value", "score what is bound", "no step has run when a match is scored"))
	}
	pl.score = t
}

// sure works out the score of a match, if its rule has one, and reports whether it
// is high enough. A score that cannot be told is 0.
func (m *Matcher) sure(rs *ruleState, match *Match) bool {
	if rs.plan == nil || rs.plan.score == nil || match.Timeout {
		return true
	}
	vars := Vars{Event: match.TriggerEvent, Bind: make(map[string][]*event.Event, len(match.Bind))}
	for _, b := range match.Bind {
		vars.Bind[b.Element] = b.Events
	}
	x, err := rs.plan.score.Eval(vars)
	score := 0.0
	switch x := x.(type) {
	case float64:
		score = x
	case int64:
		score = float64(x)
	case bool:
		score = float64(boolean(x))
	}
	if err != nil || math.IsNaN(score) {
		score = 0
	}
	score = min(max(score, 0), 1)
	match.Score = &score
	if err != nil || score < rs.rule.When.AtLeast {
		rs.counts.Unsure++
		return score >= rs.rule.When.AtLeast
	}
	return true
}
