package manifest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/event"
)

// field is a key of an object of the manifest: how it is read, and what the
// schema says of it. Both come from this one table.
type field struct {
	key      string
	required bool
	schema   map[string]any
	read     func(r *reader, at []string, raw json.RawMessage)
}

// The forms that texts have.
const (
	namePattern     = `^[a-z][a-z0-9-]{0,63}$`
	hostPattern     = `^(\*|(\*\.)?[A-Za-z0-9_.-]+|\[?[0-9A-Fa-f:.]+\]?)(:[0-9]{1,5})?$`
	sizePattern     = `^[0-9]+(B|KiB|MiB|GiB|kB|MB|GB)?$`
	durationPattern = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	maxText         = 1 << 10
)

var (
	nameForm = regexp.MustCompile(namePattern)
	hostForm = regexp.MustCompile(hostPattern)
)

func fields() []field {
	return []field{
		{"$schema", false, textSchema("where an editor finds the schema of this file"), func(r *reader, at []string, raw json.RawMessage) { r.text(at, raw) }},
		{"name", true, map[string]any{"type": "string", "pattern": namePattern, "description": "what the plugin is called"}, readName},
		{"version", true, map[string]any{"type": "string", "minLength": 1, "maxLength": 64, "description": "of the plugin, for people"}, readVersion},
		{"abi", true, map[string]any{"const": ABI, "description": "the ABI that it speaks"}, readABI},
		{"description", false, textSchema("what it does, for people"), func(r *reader, at []string, raw json.RawMessage) { r.m.Description = r.text(at, raw) }},
		{"capabilities", false, capabilitiesSchema(), readCapabilities},
		{"optional", false, map[string]any{"type": "array", "items": map[string]any{"type": "string", "minLength": 1, "maxLength": v1.MaxName}, "description": "functions of the ABI that it can do without"}, readOptional},
		{"limits", false, limitsSchema(), readLimits},
		{"config", false, map[string]any{"type": []string{"object", "boolean"}, "description": "JSON Schema of its settings"}, readConfig},
		{"encoding", false, map[string]any{"enum": []string{string(Frame), string(JSON)}, "description": "how a Wasm module wants its input"}, readEncoding},
		{"state", false, map[string]any{"const": "pristine", "description": "every call finds it as it was loaded"}, readState},
		{"batch", false, map[string]any{"type": "boolean", "description": "a Wasm module that exports rhost_batch"}, readBatch},
		{"sample", false, sampleSchema(), readSample},
	}
}

func textSchema(about string) map[string]any {
	return map[string]any{"type": "string", "maxLength": maxText, "description": about}
}

func readName(r *reader, at []string, raw json.RawMessage) {
	r.m.Name = r.text(at, raw)
	if r.m.Name != "" && !nameForm.MatchString(r.m.Name) {
		r.bad(at, "use a-z, 0-9 and -, starting with a letter, at most 64 characters", "%q is no name", r.m.Name)
	}
}

func readVersion(r *reader, at []string, raw json.RawMessage) {
	r.m.Version = r.text(at, raw)
	if r.m.Version == "" || len(r.m.Version) > 64 {
		r.bad(at, "", "a version has from 1 to 64 characters")
	}
}

func readABI(r *reader, at []string, raw json.RawMessage) {
	r.m.ABI = r.text(at, raw)
	if r.m.ABI != ABI {
		r.bad(at, "write "+ABI, "%q is no ABI that a manifest can name", r.m.ABI)
	}
}

func readCapabilities(r *reader, at []string, raw json.RawMessage) {
	asked := make(map[abi.Capability]bool)
	var list []field
	for _, c := range abi.Capabilities() {
		list = append(list, field{key: string(c), read: func(r *reader, at []string, raw json.RawMessage) {
			asked[c] = true
			r.object(at, raw, parameters(c))
		}})
	}
	r.object(at, raw, list)
	for _, c := range abi.Capabilities() {
		if asked[c] {
			r.m.Capabilities = append(r.m.Capabilities, c)
		}
	}
}

// parameters are those of a capability.
func parameters(c abi.Capability) []field {
	switch c {
	case abi.CapHTTP:
		return []field{{"hosts", false, map[string]any{"type": "array", "items": map[string]any{"type": "string", "pattern": hostPattern}}, func(r *reader, at []string, raw json.RawMessage) {
			r.m.Hosts = r.list(at, raw, func(at []string, s string) {
				if !hostForm.MatchString(s) {
					r.bad(at, `write a name, "*.name" or an address, and a port if it is not 80 or 443`, "%q is no host", s)
				}
			})
		}}}
	case abi.CapSecret:
		return []field{{"names", false, map[string]any{"type": "array", "items": map[string]any{"type": "string", "minLength": 1, "maxLength": v1.MaxName}}, func(r *reader, at []string, raw json.RawMessage) {
			r.m.Secrets = r.list(at, raw, r.functionName)
		}}}
	case abi.CapEmit, abi.CapState, abi.CapConfig, abi.CapNow, abi.CapRandom, abi.CapNotify, abi.CapKV:
	}
	return nil
}

func capabilitiesSchema() map[string]any {
	properties := make(map[string]any)
	for _, c := range abi.Capabilities() {
		properties[string(c)] = objectSchema("", parameters(c))
	}
	return map[string]any{"type": "object", "properties": properties, "additionalProperties": false, "description": "what it asks for; it gets nothing else"}
}

func readOptional(r *reader, at []string, raw json.RawMessage) {
	r.m.Optional = r.list(at, raw, r.functionName)
}

func readConfig(r *reader, at []string, raw json.RawMessage) {
	s, err := ParseSchema(raw)
	if err != nil {
		r.bad(at, "", "%s", err.Error())
		return
	}
	r.m.Config = s
}

func readEncoding(r *reader, at []string, raw json.RawMessage) {
	r.m.Encoding = Encoding(r.text(at, raw))
	if r.m.Encoding != Frame && r.m.Encoding != JSON {
		r.bad(at, "write frame or json", "%q is no encoding", r.m.Encoding)
	}
}

func readState(r *reader, at []string, raw json.RawMessage) {
	switch s := r.text(at, raw); s {
	case "pristine":
	case "kept":
		r.bad(at, "leave it out, and keep what must last with state or kv", "kept is not offered: every call finds a plugin as it was loaded")
	default:
		r.bad(at, "write pristine, or leave it out", "%q is not known", s)
	}
}

func readBatch(r *reader, at []string, raw json.RawMessage) {
	if err := json.Unmarshal(raw, &r.m.Batch); err != nil || string(raw) == "null" {
		r.bad(at, "write true or false", "is no boolean")
	}
}

func readSample(r *reader, at []string, raw json.RawMessage) {
	r.m.Sample = &Sample{}
	r.object(at, raw, sampleFields(r.m.Sample))
}

func sampleFields(s *Sample) []field {
	keep := func(dst *json.RawMessage) func(*reader, []string, json.RawMessage) {
		return func(r *reader, at []string, raw json.RawMessage) {
			var object map[string]json.RawMessage
			if err := json.Unmarshal(raw, &object); err != nil || object == nil {
				r.bad(at, "", "is no object")
			}
			*dst = raw
		}
	}
	return []field{
		{"event", false, map[string]any{"type": "object", "description": "a structured CloudEvent"}, func(r *reader, at []string, raw json.RawMessage) {
			ev, err := event.ParseLoose(raw)
			if err != nil {
				r.bad(at, "", "%s", err.Error())
				return
			}
			s.Event = &ev
		}},
		{"config", false, map[string]any{"type": "object"}, keep(&s.Config)},
		{"with", false, map[string]any{"type": "object"}, keep(&s.With)},
	}
}

func sampleSchema() map[string]any {
	return objectSchema("an example of a call, for self-tests", sampleFields(&Sample{}))
}

// functionName checks a name as the ABI has them.
func (r *reader) functionName(at []string, s string) {
	if s == "" || len(s) > v1.MaxName {
		r.bad(at, "", "a name has from 1 to %d bytes", v1.MaxName)
	}
}

// reader reads a manifest and collects what is wrong with it.
type reader struct {
	m        *Manifest
	problems Problems
}

func (r *reader) bad(at []string, fix, format string, args ...any) {
	r.problems = append(r.problems, Problem{Path: slices.Clone(at), Msg: fmt.Sprintf(format, args...), Fix: fix})
}

// object reads an object with these fields and no others.
func (r *reader) object(at any, raw json.RawMessage, list []field) {
	path, _ := at.([]string) // of the whole manifest there is none
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		r.bad(path, "", "is no object")
		return
	}
	var known []string
	for _, f := range list {
		known = append(known, f.key)
		if value, ok := members[f.key]; ok {
			f.read(r, append(slices.Clone(path), f.key), value)
		} else if f.required {
			r.bad(append(slices.Clone(path), f.key), "", "is missing")
		}
	}
	for _, key := range sortedKeys(members) {
		if !slices.Contains(known, key) {
			r.bad(append(slices.Clone(path), key), suggest(key, known), "nobody knows this key")
		}
	}
}

func (r *reader) text(at []string, raw json.RawMessage) string {
	var s *string
	if err := json.Unmarshal(raw, &s); err != nil || s == nil {
		r.bad(at, "", "is no text")
		return ""
	}
	if len(*s) > maxText {
		r.bad(at, "", "has more than %d bytes", maxText)
	}
	return *s
}

// list reads a list of texts; it is never nil when it is one.
func (r *reader) list(at []string, raw json.RawMessage, check func(at []string, s string)) []string {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil || items == nil {
		r.bad(at, "", "is no list of texts")
		return nil
	}
	texts := make([]string, 0, len(items))
	for i, item := range items {
		here := append(slices.Clone(at), fmt.Sprintf("[%d]", i))
		before := len(r.problems)
		s := r.text(here, item)
		if len(r.problems) == before {
			check(here, s)
		}
		texts = append(texts, s)
	}
	return texts
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// suggest names the key that was probably meant, or else those there are.
func suggest(key string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := editDistance(strings.ToLower(key), k, distance); d < distance {
			best, distance = k, d
		}
	}
	switch {
	case best != "":
		return "did you mean " + best + "?"
	case len(known) == 0:
		return "there are no parameters"
	}
	return "there are " + strings.Join(known, ", ")
}

// editDistance counts the letters to change, add or take away, up to limit.
func editDistance(a, b string, limit int) int {
	if len(a) > len(b)+limit || len(b) > len(a)+limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			next := min(row[j], row[j-1]) + 1
			if a[i-1] == b[j-1] {
				next = min(next, diagonal)
			} else {
				next = min(next, diagonal+1)
			}
			diagonal, row[j] = row[j], next
		}
	}
	return row[len(b)]
}
