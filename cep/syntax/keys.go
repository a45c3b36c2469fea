package syntax

import "slices"

// keys are those of one map of a rule document: those that exist, and those that
// a later release brings.
type keys struct {
	known, later []string
}

func ruleKeys() keys {
	return keys{
		known: []string{
			"rule", "description", "mode", "severity", "labels", "owner", "runbook", "priority", "tags",
			"on_change", "when", "do", "on_failure", "tests",
		},
		later: []string{"durability", "start", "control"},
	}
}

// trigger is one of the keys that say what a rule waits for, with the keys that
// go with it.
type trigger struct {
	key  string
	with []string
}

// triggers lists them; exactly one stands under `when`.
func triggers() []trigger {
	return []trigger{
		{"condition", []string{"by", "score", "at_least"}},
		{"pattern", []string{"define", "by", "within", "skip", "emit", "on_timeout", "limit", "score", "at_least"}},
		{"window", []string{"where", "by", "let", "having"}},
		{"schedule", []string{"timezone", "missed", "dst"}},
		{"state", append(stateTestNames(), "where", "by", "tolerance", "for")},
	}
}

// laterTriggers are those that a later release brings, with keys of their own.
func laterTriggers() []string { return []string{"anomaly", "forecast"} }

// whenKeys are the keys of all triggers.
func whenKeys() keys {
	k := keys{later: laterTriggers()}
	for _, t := range triggers() {
		k.known = append(k.known, t.key)
		for _, key := range t.with {
			if !slices.Contains(k.known, key) {
				k.known = append(k.known, key)
			}
		}
	}
	return k
}

// elementKeys are the long form of a definition; groupKeys that of a group.
func elementKeys() keys {
	return keys{known: []string{"where", "repeat", "greedy", "optional", "until", "gap", "wait"}}
}

func groupKeys() keys {
	return keys{known: []string{"pattern", "repeat", "optional", "until", "gap", "wait"}}
}

func withinKeys() keys { return keys{known: []string{"gap"}} }
func skipKeys() keys   { return keys{known: append(skipToNames(), "on_miss")} }
func limitKeys() keys  { return keys{known: []string{"runs", "full"}} }

func testKeys() keys {
	return keys{known: []string{"given", "advance", "expect"}, later: []string{"mocks", "history", "vars"}}
}

func expectKeys() keys {
	return keys{known: []string{"matches", "timeouts", "bind"}, later: []string{"actions"}}
}

func repeatNames() []string  { return []string{"then", "next", "any"} }
func timeoutNames() []string { return []string{"emit"} }
func onMissNames() []string  { return []string{"none", "error"} }
