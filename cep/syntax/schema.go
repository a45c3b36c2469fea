package syntax

import (
	"bytes"
	"encoding/json"
)

// Schema is the JSON Schema of rule documents, for editors. It is made of the
// same lists of keys and values as Parse uses, so the two cannot drift apart; what
// only Parse checks (patterns, conditions, names) is left to Parse. The committed
// copy is rule.schema.json.
func Schema() []byte {
	schema := object(ruleKeys(), map[string]any{
		"rule":        described(matching("^\\S+$"), "name, unique in its tenant"),
		"description": described(text(), "what the rule is for, for people"),
		"mode":        described(oneOf(modeNames()), "live (the default) runs actions, shadow only records matches, off sees nothing"),
		"severity":    described(scalar(), "free text to filter by"),
		"labels":      map[string]any{"type": "object", "additionalProperties": scalar(), "description": "free texts to filter by"},
		"owner":       scalar(),
		"runbook":     scalar(),
		"priority":    described(oneOf(priorityNames()), "order of the work of matches that wait"),
		"tags":        map[string]any{"type": "array", "items": scalar()},
		"when":        described(anyOf(condition(), whenSchema()), "a CEL condition, or a map for patterns and keys"),
		"do":          steps("what a match does"),
		"on_failure":  steps("what happens when a step fails for good"),
		"tests":       map[string]any{"type": "array", "items": testSchema()},
	}, "rule", "when")
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "rhost rule"
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(schema); err != nil {
		panic("syntax: the schema is not JSON: " + err.Error()) // it is made of maps and texts
	}
	return b.Bytes()
}

func whenSchema() map[string]any {
	s := object(whenKeys(), map[string]any{
		"condition": condition(),
		"pattern":   described(text(), "elements joined by then, next, then not, next not; with ?, *, +, {n}, {n,} or {n,m} behind them"),
		"define": map[string]any{
			"type": "object", "propertyNames": matching("^[A-Za-z_][A-Za-z0-9_]*$"),
			"additionalProperties": anyOf(condition(), elementSchema()),
			"description":          "the condition of each element of the pattern",
		},
		"by":         described(anyOf(text(), map[string]any{"type": "array", "items": text(), "minItems": 1, "maxItems": maxBy}), "the key of the rule's state: a path such as data.ip, or a list of paths"),
		"within":     described(text(), "time from the first event to the last, such as 30s, 5m or 7d"),
		"skip":       described(oneOf(skipNames()), "what a match does to partial matches that overlap it"),
		"emit":       described(oneOf(emitNames()), "immediate: at the event that completes a match; ordered: in order of their starts"),
		"on_timeout": described(oneOf(timeoutNames()), "report partial matches that ran out of time"),
		"limit": object(limitKeys(), map[string]any{
			"runs": map[string]any{"type": "integer", "minimum": 1, "maximum": maxCount, "default": DefaultRuns},
			"full": oneOf(fullNames()),
		}),
	})
	s["oneOf"] = []any{
		map[string]any{"required": []string{"condition"}},
		map[string]any{"required": []string{"pattern", "define"}},
	}
	return s
}

func elementSchema() map[string]any {
	return object(elementKeys(), map[string]any{
		"where":    condition(),
		"repeat":   described(oneOf(repeatNames()), "between repetitions: then skips other events, next does not"),
		"optional": map[string]any{"type": "boolean"},
	}, "where")
}

func testSchema() map[string]any {
	return object(testKeys(), map[string]any{
		"given": described(anyOf(text(), map[string]any{"type": "array", "items": map[string]any{"type": "object"}}), "a file of events, or events"),
		"expect": object(expectKeys(), map[string]any{
			"matches": map[string]any{"type": "integer", "minimum": 0, "maximum": maxCount},
		}, "matches"),
	}, "given", "expect")
}

// object is a map with exactly the known keys; a key without a schema of its own
// would be a gap, which a test looks for.
func object(k keys, properties map[string]any, required ...string) map[string]any {
	all := make(map[string]any, len(k.known))
	for _, key := range k.known {
		all[key] = properties[key]
	}
	s := map[string]any{"type": "object", "properties": all, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func text() map[string]any   { return map[string]any{"type": "string", "minLength": 1} }
func scalar() map[string]any { return map[string]any{"type": []string{"string", "number", "boolean"}} }

func condition() map[string]any {
	return map[string]any{"type": []string{"string", "boolean"}, "description": "CEL, such as type == \"order.created\" && data.total > 100"}
}

func matching(pattern string) map[string]any {
	return map[string]any{"type": "string", "pattern": pattern}
}

func oneOf(names []string) map[string]any { return map[string]any{"enum": names} }
func anyOf(options ...any) map[string]any { return map[string]any{"anyOf": options} }

func steps(what string) map[string]any {
	return map[string]any{"type": "array", "items": map[string]any{"type": "object"}, "description": what}
}

func described(s map[string]any, what string) map[string]any {
	s["description"] = what
	return s
}
