package syntax

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/rhost/rhost/yamldoc"
)

// version is the digest of what a rule says, however it is written: the rule as
// JSON with sorted keys, without what is at its default. A later release adds
// keys, and rules that do not use them keep their version.
func version(r *Rule) string {
	m := map[string]any{"rule": r.Name, "when": canonicalWhen(r.When)}
	put(m, "description", r.Description)
	put(m, "severity", r.Severity)
	put(m, "owner", r.Owner)
	put(m, "runbook", r.Runbook)
	if r.Mode != Live {
		m["mode"] = r.Mode.String()
	}
	if r.Priority != Normal {
		m["priority"] = r.Priority.String()
	}
	if len(r.Labels) > 0 {
		m["labels"] = r.Labels
	}
	if len(r.Tags) > 0 {
		m["tags"] = r.Tags
	}
	if r.Do != nil {
		m["do"] = json.RawMessage(appendJSON(nil, r.Do))
	}
	if r.OnFailure != nil {
		m["on_failure"] = json.RawMessage(appendJSON(nil, r.OnFailure))
	}
	if len(r.Tests) > 0 {
		m["tests"] = canonicalTests(r.Tests)
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic("syntax: a rule cannot be written as JSON: " + err.Error()) // the values above always can
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func put(m map[string]any, key, text string) {
	if text != "" {
		m[key] = text
	}
}

func canonicalWhen(w When) map[string]any {
	m := map[string]any{}
	if !w.Bare() {
		m["pattern"] = w.Pattern.String()
	}
	var define []map[string]any
	for _, u := range w.Pattern.Units {
		d := map[string]any{"name": u.Name, "where": squeeze(u.Cond)}
		if u.Repeat != Then {
			d["repeat"] = u.Repeat.String()
		}
		if u.Optional {
			d["optional"] = true
		}
		define = append(define, d)
	}
	m["define"] = define
	if len(w.By) > 0 {
		m["by"] = w.By
	}
	if w.Within > 0 {
		m["within"] = w.Within.String()
	}
	if w.Skip != PastLast {
		m["skip"] = w.Skip.String()
	}
	if w.Emit != Immediate {
		m["emit"] = w.Emit.String()
	}
	if w.OnTimeout {
		m["on_timeout"] = "emit"
	}
	if w.Limit != (Limit{Runs: DefaultRuns}) {
		m["limit"] = []any{w.Limit.Runs, w.Limit.Full.String()}
	}
	return m
}

// squeeze makes one space of each stretch of white space outside quotes. Where
// CEL's comments, escapes or long quotes make it hard to tell what is outside,
// the text stays as it is.
func squeeze(cond string) string {
	if strings.Contains(cond, "//") || strings.ContainsRune(cond, '\\') || strings.Contains(cond, `""`) || strings.Contains(cond, "''") {
		return cond
	}
	var b strings.Builder
	var quote rune
	blank := false
	for _, c := range cond {
		if quote == 0 && strings.ContainsRune(" \t\n\r", c) {
			blank = true
			continue
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		switch {
		case quote == c:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		}
		b.WriteRune(c)
	}
	return b.String()
}

func canonicalTests(tests []Test) []map[string]any {
	var out []map[string]any
	for _, t := range tests {
		m := map[string]any{"matches": t.Expect.Matches}
		put(m, "given", t.Given)
		var events []json.RawMessage
		for _, e := range t.Events {
			events = append(events, e)
		}
		if events != nil {
			m["events"] = events
		}
		out = append(out, m)
	}
	return out
}

// appendJSON writes a node as JSON with sorted keys. Numbers keep their digits
// where JSON can write them as they are.
func appendJSON(dst []byte, n *yamldoc.Node) []byte {
	switch n.Kind {
	case yamldoc.Bool:
		return strconv.AppendBool(dst, n.Bool())
	case yamldoc.Number:
		return append(dst, number(n)...)
	case yamldoc.String:
		return appendText(dst, n.Text)
	case yamldoc.List:
		dst = append(dst, '[')
		for i, item := range n.Items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, item)
		}
		return append(dst, ']')
	case yamldoc.Map:
		keys := slices.Clone(n.Keys)
		slices.SortFunc(keys, func(a, b yamldoc.Entry) int { return strings.Compare(a.Key, b.Key) })
		dst = append(dst, '{')
		for i, e := range keys {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendText(dst, e.Key), ':')
			dst = appendJSON(dst, e.Value)
		}
		return append(dst, '}')
	default:
		return append(dst, "null"...)
	}
}

func appendText(dst []byte, s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		return append(dst, `""`...) // a string always can
	}
	return append(dst, b...)
}

// number writes a YAML number as JSON; infinities, which JSON does not have,
// become texts.
func number(n *yamldoc.Node) string {
	if text := strings.ReplaceAll(n.Text, "_", ""); json.Valid([]byte(text)) {
		return text
	}
	b, err := json.Marshal(n.Float())
	if err != nil {
		return strconv.Quote(n.Text)
	}
	return string(b)
}
