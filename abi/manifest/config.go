package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is a JSON Schema of the settings of a plugin. It is immutable.
type Schema struct {
	text json.RawMessage
	root *jsonschema.Schema
}

// MaxWeight bounds what checking a value with a schema takes: the number of parts
// that a schema has when every reference is replaced by what it refers to. A few
// hundred bytes of references to references could take years otherwise.
const MaxWeight = 20_000

const schemaURL = "schema:///config.json"

// ParseSchema reads a JSON Schema of draft 2020-12. References stay inside it:
// "#" and "#/…", and those of other kinds are refused.
func ParseSchema(text []byte) (*Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	w := &weigher{root: doc, known: make(map[string]int)}
	if n := w.weigh(doc, true); w.err != nil {
		return nil, w.err
	} else if n > MaxWeight {
		return nil, fmt.Errorf("has more than %d parts with its references followed; make it smaller", MaxWeight)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoader{})
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, notSchema(err)
	}
	root, err := c.Compile(schemaURL)
	if err != nil {
		return nil, notSchema(err)
	}
	return &Schema{text: slices.Clone(text), root: root}, nil
}

// JSON is the schema as it was written.
func (s *Schema) JSON() json.RawMessage { return s.text }

// Check reports how settings differ from the schema. Nil settings are an empty
// object. The error is Problems.
func (s *Schema) Check(settings json.RawMessage) error {
	if len(settings) == 0 {
		settings = json.RawMessage("{}")
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(settings))
	if err != nil {
		return Problems{{Msg: "is not JSON: " + err.Error()}}
	}
	err = s.root.Validate(value)
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return Problems{{Msg: err.Error()}}
	}
	return causes(invalid, nil)
}

// causes gives the innermost reasons, which say what is wrong and where.
func causes(e *jsonschema.ValidationError, list Problems) Problems {
	if len(e.Causes) > 0 {
		for _, c := range e.Causes {
			list = causes(c, list)
		}
		return list
	}
	return append(list, Problem{Path: e.InstanceLocation, Msg: lastLine(e)})
}

// lastLine is the innermost cause in the text of an error of the library, without
// the place: "- at '/limit': got string, want integer".
func lastLine(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	text := strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), "- ")
	if _, reason, ok := strings.Cut(text, "': "); ok && strings.HasPrefix(text, "at '") {
		return reason
	}
	return text
}

type noLoader struct{}

func (noLoader) Load(string) (any, error) { return nil, errRemote }

var errRemote = errors.New("a $ref or $schema leads out of the schema, and nothing is loaded from elsewhere")

func notSchema(err error) error {
	if strings.Contains(err.Error(), errRemote.Error()) {
		return errRemote
	}
	return fmt.Errorf("is not a JSON Schema: %s", lastLine(err))
}

// weigher counts the parts of a schema.
type weigher struct {
	root  any
	known map[string]int // by reference; -1 while it is counted
	err   error
}

// weigh counts a part and those in it. Every object counts as a schema, even
// where it is a value: that is never too few.
func (w *weigher) weigh(v any, top bool) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			switch key {
			case "$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor", "$recursiveAnchor":
				if _, text := v[key].(string); text {
					w.refuse(fmt.Errorf("%s is not taken; use $ref with \"#/…\"", key))
				}
			case "$id", "$schema":
				if _, text := v[key].(string); text && !top {
					w.refuse(fmt.Errorf("%s is taken at the top alone", key))
				}
			case "$ref":
				if ref, ok := v[key].(string); ok {
					n = add(n, w.follow(ref))
				}
			}
			n = add(n, w.weigh(v[key], false))
		}
	case []any:
		for _, item := range v {
			n = add(n, w.weigh(item, false))
		}
	}
	return n
}

// add stops counting where it is too much already.
func add(a, b int) int { return min(a+b, MaxWeight+1) }

func (w *weigher) refuse(err error) {
	if w.err == nil {
		w.err = err
	}
}

// follow counts what a reference refers to. One that leads back to itself counts
// once: it goes as deep as the value does.
func (w *weigher) follow(ref string) int {
	if n, ok := w.known[ref]; ok {
		return max(n, 1)
	}
	at := w.root
	if ref != "#" {
		rest, ok := strings.CutPrefix(ref, "#/")
		if !ok {
			w.refuse(fmt.Errorf("$ref %q is not taken; it has to begin with #/", ref))
			return 1
		}
		for part := range strings.SplitSeq(rest, "/") {
			part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
			object, ok := at.(map[string]any)
			if !ok || object[part] == nil {
				w.refuse(fmt.Errorf("$ref %q leads to nothing", ref))
				return 1
			}
			at = object[part]
		}
	}
	w.known[ref] = -1
	n := w.weigh(at, ref == "#")
	w.known[ref] = n
	return n
}
