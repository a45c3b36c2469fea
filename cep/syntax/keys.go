package syntax

// keys are those of one map of a rule document: those that exist, and those that
// a later release brings.
type keys struct {
	known, later []string
}

func ruleKeys() keys {
	return keys{
		known: []string{
			"rule", "description", "mode", "severity", "labels", "owner", "runbook", "priority", "tags",
			"when", "do", "on_failure", "tests",
		},
		later: []string{"on_change", "durability", "start", "control"},
	}
}

func whenKeys() keys {
	return keys{
		known: []string{"condition", "pattern", "define", "by", "within", "skip", "emit", "on_timeout", "limit"},
		later: []string{"score", "at_least", "let", "having", "timezone", "missed", "dst"},
	}
}

// laterTriggers are what a rule can wait for instead of a condition or pattern.
// With each of them come keys of its own.
func laterTriggers() []string {
	return []string{"window", "schedule", "state", "anomaly", "forecast"}
}

func elementKeys() keys {
	return keys{
		known: []string{"where", "repeat", "optional"},
		later: []string{"greedy", "until", "gap", "wait", "pattern"},
	}
}

func limitKeys() keys { return keys{known: []string{"runs", "full"}} }

func testKeys() keys {
	return keys{known: []string{"given", "expect"}, later: []string{"advance", "mocks", "history", "vars"}}
}

func expectKeys() keys {
	return keys{known: []string{"matches"}, later: []string{"bind", "timeouts", "actions"}}
}

func repeatNames() []string  { return []string{"then", "next"} }
func timeoutNames() []string { return []string{"emit"} }
