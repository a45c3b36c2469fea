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
)

// Codes explains each code.
func Codes() map[string]string {
	return map[string]string{
		CodeKey:       "A rule document has a key that does not exist. Keys are checked strictly, so that a typing mistake cannot silently switch a rule's behaviour.",
		CodeLater:     "The key, value or construct is part of the rule language, and this release does not support it yet. It is refused because ignoring it would change what the rule means.",
		CodeRequired:  "A key is missing. Every rule needs `rule` (its name) and `when`; a pattern needs `define` with a condition for each of its elements.",
		CodeType:      "A value has the wrong type: a text where a list belongs, for example.",
		CodeValue:     "A value is not one of those allowed here. The message lists them.",
		CodeName:      "A name breaks the rules for names. Rules: letters, digits and . _ - / :. Elements: [A-Za-z_][A-Za-z0-9_]*, and no word that conditions or patterns use themselves.",
		CodeDuplicate: "Two rules of one file have the same name, or an element stands twice in one pattern.",
		CodePattern:   "A pattern cannot be read. It is a sequence of elements joined by `then`, `next`, `then not` or `next not`, each with an optional ?, *, +, {n}, {n,} or {n,m} behind it.",
		CodeNot:       "`not` takes one element without a quantifier. It cannot come first, nor right after an optional element: there it would be undecided what it follows.",
		CodeElement:   "Every element of a pattern needs a condition under `define`, and every definition must be used.",
		CodeWithin:    "A pattern that ends with `then not` matches when time runs out, so it needs `within`.",
		CodeStates:    "A pattern needs more states than a rule may have. The repetitions of all its elements together are at most 1,000.",
	}
}
