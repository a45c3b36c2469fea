package syntax

// The codes of problems with rule documents, for `rhost help CODE`.
const (
	CodeKey       = "rule-key"       // a key that nobody knows
	CodeLater     = "rule-later"     // something a later release brings
	CodeRequired  = "rule-required"  // a key that must be there
	CodeType      = "rule-type"      // a value of the wrong type
	CodeValue     = "rule-value"     // a value out of what is allowed
	CodeName      = "rule-name"      // a name that cannot be one
	CodeDuplicate = "rule-duplicate" // a name used twice
	CodePattern   = "rule-pattern"   // a pattern that breaks the grammar
	CodeNot       = "rule-not"       // `not` where it cannot stand
	CodeElement   = "rule-element"   // an element without definition, or the reverse
	CodeWithin    = "rule-within"    // a pattern that never ends without `within`
	CodeStates    = "rule-states"    // a pattern too large to follow
	CodeNesting   = "rule-nesting"   // brackets too deep, or a group inside itself
	CodeLoop      = "rule-loop"      // what is said of repetitions, of an element that has none
)

// Codes explains each code.
func Codes() map[string]string {
	return map[string]string{
		CodeKey:       "A rule document has a key that does not exist. Keys are checked strictly, so that a typing mistake cannot silently switch a rule's behaviour.",
		CodeLater:     "The key, value or construct is part of the rule language, and this release does not support it yet. It is refused because ignoring it would change what the rule means.",
		CodeRequired:  "A key is missing. Every rule needs `rule` (its name) and `when`; under `when` stands a condition, a pattern with `define`, a window with `let`, a schedule or a state.",
		CodeType:      "A value has the wrong type: a text where a list belongs, for example.",
		CodeValue:     "A value is not one of those allowed here. The message lists them.",
		CodeName:      "A name breaks the rules for names. Rules: letters, digits and . _ - / :. Elements: [A-Za-z_][A-Za-z0-9_]*, and no word that conditions or patterns use themselves.",
		CodeDuplicate: "Two rules of one file have the same name, or an element stands twice in one pattern.",
		CodePattern:   "A pattern cannot be read. It is a sequence of elements joined by `then`, `next`, `then any`, `then not` or `next not`, of alternatives (a | b) and conjunctions (a & b), and of groups in brackets, each with an optional ?, *, +, {n}, {n,} or {n,m} behind it.",
		CodeNot:       "`not` takes one element without a quantifier. It cannot come first, nor right after what may be absent: there it would be undecided what it follows. Nor can it end a group.",
		CodeElement:   "Every element of a pattern needs a condition under `define`, and every definition must be used. What a rule names elsewhere, to skip to or in a test, must be an element that events are bound to.",
		CodeWithin:    "A pattern that ends with `then not` matches when time runs out, so it needs `within`, or a `wait` on its last element; so does `on_timeout`.",
		CodeStates:    "A pattern needs more states than a rule may have. The repetitions of all its elements together are at most 1,000, where those in a group count once for each repetition of the group, and those in a conjunction (a & b, at most 4 operands) once for each order.",
		CodeNesting:   "Brackets stand inside brackets more than 32 deep, or a group that `define` names contains itself.",
		CodeLoop:      "`until` ends a loop (+, * or {n,}), `greedy` and `gap` are about repetitions, and `greedy` contradicts `repeat: any`. The element they are written at has no such repetitions.",
	}
}
