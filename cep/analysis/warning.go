package analysis

import (
	"cmp"
	"maps"
	"slices"

	"github.com/rhost/rhost/yamldoc"
)

// Warning is something in a rule that works, and is hardly meant.
type Warning struct {
	Pos   yamldoc.Pos // in the file of Rule
	Rule  string
	Code  string   // for `rhost help CODE`
	What  string   // a clause without a full stop
	Fix   string   // what to do about it
	Rules []string // the others it concerns, by name
}

// String gives `file:line:col: rule: what; fix`.
func (w Warning) String() string {
	s := w.Pos.String() + ": " + w.Rule + ": " + w.What
	if w.Fix != "" {
		s += "; " + w.Fix
	}
	return s
}

// The codes of warnings, for `rhost help CODE`.
const (
	CodeNever     = "check-never"     // a condition that no event meets
	CodeAlways    = "check-always"    // a condition that every event meets
	CodeDead      = "check-dead"      // a part of a condition that never holds
	CodePattern   = "check-pattern"   // a pattern that cannot complete
	CodeLimit     = "check-limit"     // a pattern that needs more than `limit` lets it have
	CodeNot       = "check-not"       // a `not` that forbids nothing
	CodeWithin    = "check-within"    // a pattern without a bound on time
	CodeTime      = "check-time"      // a bound on time that bounds nothing
	CodeKeys      = "check-keys"      // state for every value of `by`, for ever
	CodeSame      = "check-same"      // two rules that match the same
	CodeCovered   = "check-covered"   // a rule whose events another matches too
	CodeShadowed  = "check-shadowed"  // the same, and both do the same
	CodeEffects   = "check-effects"   // rules that match together and contradict each other
	CodeCascade   = "check-loop"      // rules that cause each other in a loop
	CodeCondition = "check-condition" // a condition that depends on nothing
)

var explained = map[string]string{ //nolint:gochecknoglobals // never changed
	CodeNever:     "No event can meet the condition, because its tests of one field exclude each other: x == 1 && x == 2, or x > 5 && x < 3. A missing field, or a value of another type, meets no comparison either.",
	CodeAlways:    "Every event meets the condition. If that is meant, has(type) says so plainly; otherwise a test is missing or || stands where && was meant.",
	CodeDead:      "An alternative of an || can never hold beside the rest of the condition. It has no effect; it was probably meant to test something else.",
	CodePattern:   "No sequence of events completes the pattern, because a step that cannot be left out has a condition that no event meets.",
	CodeLimit:     "The pattern needs more events of its first element than limit.runs lets begin at once, and full: drop-oldest drops the oldest of them before the last comes. Raise limit.runs above the count, or use full: reject.",
	CodeNot:       "Every event that the `not` forbids is one that the next element takes, and taking comes first: so nothing is ever forbidden. Narrow the next element, or drop the `not`.",
	CodeWithin:    "A pattern without `within` keeps what it began until it completes, perhaps for ever, up to limit.runs for each key. Say within: how long after the first event the last may come.",
	CodeTime:      "A `wait` or a `gap` stands where it bounds nothing: wait on a repeated element, on a group, on a `not` in the middle of a pattern or on what comes first; gap on a group, or on a repetition of which it bounds no step. The warning says what to write instead.",
	CodeKeys:      "The rule keeps something for each value of `by`, and nothing ever frees it. Where these values are without number (addresses, ids), memory grows; bound it in time.",
	CodeSame:      "Two rules wait for the same. Each event that matches one matches the other, and both act. Join them, or make one of them differ.",
	CodeCovered:   "Each event that matches this rule matches the other one as well, whose condition is weaker; both act. If only one is to act, exclude the one's events in the other.",
	CodeShadowed:  "Each event that matches this rule matches the other one as well, and both do the same: this rule only does it twice. Remove it.",
	CodeEffects:   "Two rules match together and do what goes against each other: they call one plugin with different arguments, or one deletes the file that the other uses. The order in which they do so is not promised.",
	CodeCascade:   "A rule emits events that make another one match, which leads back to the first. The cascade limit ends such a loop after 8 rounds. Let one of the conditions exclude events that rules emit, by their type or a field.",
	CodeCondition: "The condition reads nothing of the event, so it is the same for every event.",
}

// Codes explains each code.
func Codes() map[string]string { return maps.Clone(explained) }

func sorted(list []Warning) []Warning {
	slices.SortStableFunc(list, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Col, b.Pos.Col), cmp.Compare(a.Code, b.Code))
	})
	return list
}
