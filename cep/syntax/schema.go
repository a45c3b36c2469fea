package syntax

import (
	"bytes"
	"encoding/json"
	"maps"
)

// Schema is the JSON Schema of rule documents, for editors. It is made of the
// same lists of keys and values as Parse uses, so the two cannot drift apart; what
// only Parse checks (patterns, conditions, which element is named where) is left
// to Parse. The committed copy is rule.schema.json.
func Schema() []byte {
	schema := object(ruleKeys(), ruleProperties(), "rule", "when")
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "rhost rule"
	schema["$defs"] = map[string]any{
		"condition": described(node{
			"type": []string{"string", "boolean"}, "minLength": 1,
			"examples": []string{`type == "order.created" && data.total > 100`},
		}, "a condition in CEL over the event"),
		"duration": described(node{"type": "string", "pattern": durationPattern, "examples": []string{"30s", "5m", "2h", "7d"}}, "a time span"),
		"scalar":   node{"type": []string{"string", "number", "boolean"}},
		"element": described(node{
			"type": "string", "maxLength": MaxElement,
			"pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "not": node{"enum": Reserved()},
		}, "the name of an element"),
		"steps": node{"type": []string{"array", "null"}, "items": node{"type": "object"}},
		"count": node{"type": "integer", "minimum": 0, "maximum": maxCount},
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(schema); err != nil {
		panic("syntax: the schema is not JSON: " + err.Error()) // it is made of maps and texts
	}
	return b.Bytes()
}

// durationPattern is what yamldoc.ParseDuration reads.
const durationPattern = `^([0-9]+d)?([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))*$`

// node is a schema, or a part of one.
type node = map[string]any

func ruleProperties() node {
	return node{
		"rule": described(node{
			"type": []string{"string", "number", "boolean"}, "pattern": `^[\p{L}\p{Nd}._/:-]+$`, "maxLength": maxName,
		}, "the name, unique in its tenant"),
		"description": described(ref("scalar"), "what the rule is for, for people"),
		"mode":        described(oneOf(modeNames()), "live runs actions, shadow only records matches, off sees nothing"),
		"severity":    described(ref("scalar"), "free text to filter by"),
		"labels":      described(node{"type": []string{"object", "null"}, "additionalProperties": ref("scalar")}, "free texts to filter by"),
		"owner":       described(ref("scalar"), "who looks after the rule"),
		"runbook":     described(ref("scalar"), "where it says what to do about a match"),
		"priority":    described(oneOf(priorityNames()), "order of the work of matches that wait"),
		"tags":        described(node{"type": []string{"array", "null"}, "items": ref("scalar")}, "free texts to filter by, such as ATT&CK techniques"),
		"on_change": described(node{"enum": onChangeNames()},
			"what a changed rule does with open partial matches: keep (only while the automaton stays equivalent), drain or reset; by default keep where that is possible and otherwise drain"),
		"when":       described(node{"anyOf": whenSchemas()}, "a condition, or a map that says what to wait for"),
		"do":         described(ref("steps"), "what a match does, step by step"),
		"on_failure": described(ref("steps"), "what happens when a step has failed for good"),
		"tests":      described(node{"type": []string{"array", "null"}, "items": testSchema()}, "events, and what the rule makes of them: rhost test"),
	}
}

// whenSchemas is a bare condition, and a map for each trigger with its own keys.
func whenSchemas() []any {
	all := []any{ref("condition")}
	properties := whenProperties()
	needed := map[string][]string{"pattern": {"define"}, "window": {"let"}}
	for _, t := range triggers() {
		s := object(keys{known: append([]string{t.key}, t.with...)}, properties, append([]string{t.key}, needed[t.key]...)...)
		if t.key == "state" {
			var tests []any
			for _, test := range stateTestNames() {
				tests = append(tests, node{"required": []string{test}})
			}
			s["oneOf"] = tests
		}
		all = append(all, s)
	}
	return all
}

func whenProperties() node {
	all := node{
		"condition": described(ref("condition"), "a bare condition, where other keys are wanted with it"),
		"pattern": described(node{"type": "string", "minLength": 1, "maxLength": MaxPattern, "examples": []string{
			"fail{5,} then ok", "ask then not answer", "a then any b", "(a | b){2,} next c", "(a & b) then c",
		}}, "elements joined by then, next, then any, then not, next not, | and &, in brackets where needed, with ? * + {n} {n,} {n,m} behind them"),
		"define": described(node{
			"type": []string{"object", "null"}, "propertyNames": ref("element"),
			"additionalProperties": node{"anyOf": []any{ref("condition"), elementSchema(), groupSchema()}},
		}, "the condition of each element of the pattern, and the pattern of each group that has a name"),
		"by": described(node{"anyOf": []any{path(), node{"type": "array", "items": path(), "minItems": 1, "maxItems": maxBy}}},
			"the key of the rule's state: a path such as data.ip, or a list of paths"),
		"within": node{"anyOf": []any{
			described(ref("duration"), "time from the first event to the last"),
			object(withinKeys(), node{"gap": described(ref("duration"), "time between two events of a match")}, "gap"),
		}},
		"skip":       described(node{"anyOf": []any{oneOf(skipNames()), skipSchema("to-first"), skipSchema("to-last")}}, "what a match does to partial matches that overlap it"),
		"emit":       described(oneOf(emitNames()), "immediate: at the event that completes a match; ordered: in order of their starts"),
		"on_timeout": described(node{"enum": timeoutNames()}, "report partial matches that ran out of time"),
		"limit": described(object(limitKeys(), node{
			"runs": node{"type": "integer", "minimum": 1, "maximum": maxCount, "default": DefaultRuns},
			"full": described(oneOf(fullNames()), "what happens to one more"),
		}), "open start events per key"),
		"score":    described(node{"type": []string{"string", "number"}}, "CEL: how sure a match is, from 0 to 1"),
		"at_least": described(node{"type": "number", "minimum": 0, "maximum": 1}, "matches of a lower score are none"),
		"where":    described(ref("condition"), "which events count"),
	}
	for _, more := range []node{windowProperties(), scheduleProperties(), stateProperties()} {
		maps.Copy(all, more)
	}
	return all
}

func windowProperties() node {
	return node{
		"window": described(node{
			"type": "string", "pattern": `^\s*(tumbling|sliding|session|count)\s`,
			"examples": []string{"tumbling 1m", "sliding 5m every 10s", "session 30s", "count 100"},
		}, "how the events are cut into windows"),
		"let": described(node{
			"type": "object", "propertyNames": ref("element"), "minProperties": 1, "maxProperties": maxLet,
			"additionalProperties": node{"type": "string", "examples": []string{"count()", "avg(data.ms)", "quantile(data.ms, 0.99)"}},
		}, "aggregates over the events of a window"),
		"having": described(ref("condition"), "CEL over the names under let: which windows are matches"),
	}
}

func scheduleProperties() node {
	return node{
		"schedule": described(node{"type": "string", "minLength": 1, "examples": []string{"0 3 * * mon-fri"}}, "minute, hour, day, month, weekday"),
		"timezone": described(node{"type": "string", "minLength": 1, "default": "UTC", "examples": []string{"Europe/Berlin"}}, "whose clock the schedule means"),
		"missed":   described(oneOf(missedNames()), "what becomes of times that passed while nothing ran: one match for all, none, or one each"),
		"dst":      described(oneOf(dstNames()), "what becomes of times that a change of clocks leaves out or repeats"),
	}
}

func stateProperties() node {
	number := node{"type": "number"}
	return node{
		"state":     described(path(), "the value that is watched"),
		"above":     described(node{"type": "number"}, "the value is above this"),
		"below":     described(node{"type": "number"}, "the value is below this"),
		"equals":    described(ref("scalar"), "the value is this"),
		"differs":   described(ref("scalar"), "the value is another than this"),
		"between":   described(node{"type": "array", "items": number, "minItems": 2, "maxItems": 2}, "the value is at least the one and at most the other"),
		"changes":   described(node{"const": true}, "the value is another than before"),
		"matches":   described(node{"type": []string{"string", "number", "boolean"}, "minLength": 1}, "the text matches this regular expression (RE2)"),
		"tolerance": described(node{"type": "number", "minimum": 0}, "how far back over the bound the value must go to be over it no more"),
		"for":       described(ref("duration"), "for how long it must be so"),
	}
}

func longProperties() node {
	return node{
		"where":    ref("condition"),
		"pattern":  described(node{"type": "string", "minLength": 1, "maxLength": MaxPattern}, "what the group is made of"),
		"repeat":   described(oneOf(repeatNames()), "between repetitions: then skips other events, next does not, any gives every combination"),
		"greedy":   described(node{"type": "boolean"}, "repetitions take all they can before what follows begins"),
		"optional": described(node{"type": "boolean"}, "all of it may be absent"),
		"until":    described(ref("condition"), "ends a loop"),
		"gap":      described(ref("duration"), "time between repetitions"),
		"wait":     described(ref("duration"), "time from the event bound before to this one"),
	}
}

func elementSchema() node { return object(elementKeys(), longProperties(), "where") }
func groupSchema() node   { return object(groupKeys(), longProperties(), "pattern") }

func skipSchema(to string) node {
	return object(keys{known: []string{to, "on_miss"}}, node{
		to:        ref("element"),
		"on_miss": described(oneOf(onMissNames()), "when a match has none of it: skip nothing, or stop the rule with an error"),
	}, to)
}

func testSchema() node {
	ids := node{"anyOf": []any{ref("scalar"), node{"type": "array", "items": ref("scalar")}}}
	match := node{"type": "object", "propertyNames": node{"type": "string"}, "additionalProperties": ids}
	expect := object(expectKeys(), node{
		"matches":  described(ref("count"), "how many matches"),
		"timeouts": described(ref("count"), "how many timeouts"),
		"bind": described(node{"anyOf": []any{match, node{"type": "array", "items": match}}},
			"the ids of the events bound to each element, of the one match or of each in order"),
	})
	expect["minProperties"] = 1
	return object(testKeys(), node{
		"given":   described(node{"anyOf": []any{ref("scalar"), node{"type": "array", "items": node{"type": "object"}}}}, "a file of events, or events"),
		"advance": described(node{"type": "string", "format": "date-time"}, "after the events, time goes on until then"),
		"expect":  expect,
	}, "given", "expect")
}

// object is a map with exactly the known keys; a key without a schema of its own
// would be a gap, which a test looks for.
func object(k keys, properties node, required ...string) node {
	all := make(node, len(k.known))
	for _, key := range k.known {
		all[key] = properties[key]
	}
	s := node{"type": "object", "properties": all, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func ref(name string) node { return node{"$ref": "#/$defs/" + name} }

func path() node {
	return node{"type": "string", "minLength": 1, "examples": []string{"data.ip", "subject"}}
}

// oneOf is a choice of which the first is the default.
func oneOf(names []string) node { return node{"enum": names, "default": names[0]} }

func described(s node, what string) node {
	s["description"] = what
	return s
}
