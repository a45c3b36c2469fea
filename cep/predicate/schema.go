package predicate

import (
	"bytes"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// The bounds on one schema.
const (
	MaxSchema      = 256 << 10 // bytes
	MaxSchemaDepth = 64        // brackets inside brackets
)

// Schema is what a JSON Schema says of the payload of some types of events.
// Conditions are checked against it; events are not. It is immutable.
type Schema struct {
	file  string
	types []string
	root  *jsonschema.Schema
}

// ParseSchema reads a JSON Schema of draft 4, 6, 7, 2019-09 or 2020-12. Which
// types of events it is about, its key x-event-type says, a text or a list of
// texts; without that it is the name of the file without .json. A $ref may only
// point into the document: nothing is ever loaded. Errors are a *yamldoc.Error.
func ParseSchema(file string, src []byte) (*Schema, error) {
	if bad := schemaBounds(file, src); bad != nil {
		return nil, bad
	}
	if !isDocument(src) {
		return nil, notJSON(file, src)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(src))
	if err != nil {
		return nil, notJSON(file, src)
	}
	types, bad := eventTypes(file, doc)
	if bad != nil {
		return nil, bad
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, schemaError(file, err)
	}
	root, err := c.Compile(schemaURL)
	if err != nil {
		return nil, schemaError(file, err)
	}
	return &Schema{file, types, root}, nil
}

// EventTypes gives the types of events that the schema is about. The slice
// belongs to the schema.
func (s *Schema) EventTypes() []string { return s.types }

// schemaURL is where the library believes a schema to be.
const schemaURL = "schema:///event.json"

// noLoader refuses whatever is not in the document itself.
type noLoader struct{}

func (noLoader) Load(string) (any, error) { return nil, errRemote }

var errRemote = errors.New("a $ref or $schema leads out of the document")

func schemaBounds(file string, src []byte) *yamldoc.Error {
	pos := yamldoc.Pos{File: file, Line: 1}
	if len(src) > MaxSchema {
		return yamldoc.Errorf(pos, "", CodeSchema, "leave out what is not about types", "is %d bytes long; the limit is %d", len(src), MaxSchema)
	}
	depth, quoted := 0, false
	for i := 0; i < len(src); i++ {
		switch c := src[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxSchemaDepth {
				pos.Line += bytes.Count(src[:i], []byte("\n"))
				return yamldoc.Errorf(pos, "", CodeSchema, "use $defs and $ref", "has more than %d brackets inside brackets", MaxSchemaDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// isDocument reports whether src is JSON as events may have it, with each key of
// a map once.
func isDocument(src []byte) bool { return event.RawValue(src).Kind() != event.Missing }

func notJSON(file string, src []byte) *yamldoc.Error {
	pos := yamldoc.Pos{File: file, Line: 1}
	var doc any
	err := json.Unmarshal(src, &doc)
	if err == nil {
		return yamldoc.Errorf(pos, "", CodeSchema, "give each key of a map once, in UTF-8, and numbers a double can hold", "is not JSON that can be read in one way only")
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		pos.Line += bytes.Count(src[:min(int(syntax.Offset), len(src))], []byte("\n"))
	}
	return yamldoc.Errorf(pos, "", CodeSchema, "correct the JSON", "is not JSON: %v", err)
}

// eventTypes reads x-event-type.
func eventTypes(file string, doc any) ([]string, *yamldoc.Error) {
	pos := yamldoc.Pos{File: file, Line: 1}
	var types []string
	top, _ := doc.(map[string]any) // true and false are schemas too
	switch x := top["x-event-type"].(type) {
	case nil:
		types = []string{strings.TrimSuffix(path.Base(file), ".json")}
	case string:
		types = []string{x}
	case []any:
		for _, item := range x {
			s, _ := item.(string) // "" is refused below
			types = append(types, s)
		}
	}
	if len(types) == 0 || slices.Contains(types, "") {
		return nil, yamldoc.Errorf(pos, "x-event-type", CodeSchema, `write "order.created", or a list of such texts`, "names no type of events")
	}
	return types, nil
}

func schemaError(file string, err error) *yamldoc.Error {
	pos := yamldoc.Pos{File: file, Line: 1}
	if errors.Is(err, errRemote) || strings.Contains(err.Error(), errRemote.Error()) {
		return yamldoc.Errorf(pos, "", CodeSchema, `copy what is meant under "$defs", and refer to it as "#/$defs/NAME"`, "%v, and nothing is loaded from elsewhere", errRemote)
	}
	// The last line is the innermost cause.
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	return yamldoc.Errorf(pos, "", CodeSchema, "correct the schema", "is not a JSON Schema: %s", strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), "- "))
}

// Schemas is the schema of each type of events that has one. It is immutable.
type Schemas struct{ byType map[string]*Schema }

// NewSchemas joins schemas. Two of one type are an error, a *yamldoc.Error in
// the file of the second.
func NewSchemas(list ...*Schema) (*Schemas, error) {
	s := &Schemas{make(map[string]*Schema)}
	for _, schema := range list {
		for _, t := range schema.types {
			if other := s.byType[t]; other != nil {
				return nil, yamldoc.Errorf(yamldoc.Pos{File: schema.file, Line: 1}, "x-event-type", CodeSchema, "keep one of them",
					"events of type %s have a schema already, in %s", t, other.file)
			}
			s.byType[t] = schema
		}
	}
	return s, nil
}

// Schema gives the schema of a type, nil if it has none.
func (s *Schemas) Schema(eventType string) *Schema {
	if s == nil {
		return nil
	}
	return s.byType[eventType]
}
