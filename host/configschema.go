package host

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/rhost/rhost/host/connect/fswatch"
	"github.com/rhost/rhost/yamldoc"
)

// ConfigSchema is the JSON Schema of rhost.yaml, for editors. Its keys are those of
// Config, and a key without a description is a bug, so the two cannot drift apart;
// what only ReadConfig checks (addresses, patterns, which keys exclude each other) is
// left to it. The committed copy is rhost.schema.json.
func ConfigSchema() []byte {
	schema := schemaOf(reflect.TypeFor[Config](), "")
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "rhost.yaml"
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(schema); err != nil {
		panic("host: the schema is not JSON: " + err.Error()) // it is made of maps and texts
	}
	return b.Bytes()
}

// schemaOf is the schema of what yamldoc.Decode takes for a type. key is its place,
// with * for names that the operator chooses.
func schemaOf(t reflect.Type, key string) map[string]any {
	if t.Kind() == reflect.Pointer {
		return schemaOf(t.Elem(), key)
	}
	text := func(pattern string, examples ...string) map[string]any {
		return map[string]any{"type": "string", "pattern": pattern, "examples": examples}
	}
	switch t {
	case reflect.TypeFor[time.Duration]():
		s := text(`^([0-9]+d)?([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))*$`, "250ms", "1m30s", "7d")
		s["type"], s["maximum"] = []string{"string", "integer"}, 0 // 0 needs no unit
		return s
	case reflect.TypeFor[yamldoc.Bytes](), reflect.TypeFor[fswatch.Size]():
		s := text(`^[0-9][0-9_.]* ?([kKMGT]i?B|B)?$`, "64KiB", "32MiB")
		s["type"] = []string{"string", "integer"} // a number counts bytes
		return s
	case reflect.TypeFor[keepAge]():
		return text(`^([0-9]+d)?([0-9]+(\.[0-9]*)?(s|m|h))*$|^off$`, "30d", "12h", "off")
	case reflect.TypeFor[keepBytes]():
		return text(`^[0-9][0-9_.]* ?([kKMGT]i?B|B)?$|^off$`, "10GiB", "off")
	case reflect.TypeFor[byteRate]():
		return text(`^[0-9][0-9_.]* ?([kKMGT]i?B|B)?/s$`, "5MB/s", "512KiB/s")
	case reflect.TypeFor[percent]():
		return text(`^([0-9.]+ *%|off)$`, "5%", "off")
	case reflect.TypeFor[factor]():
		return text(`^([0-9.]+x|off)$`, "1.5x", "off")
	}
	if t.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) || reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		panic(fmt.Sprintf("host: the schema does not know how %v is written", t))
	}
	switch t.Kind() {
	case reflect.Struct:
		return schemaOfStruct(t, key)
	case reflect.Map:
		s := map[string]any{"type": []string{"object", "null"}}
		if t.Elem().Kind() != reflect.Interface { // a map of anything is the plugin's, or the event's
			s["additionalProperties"] = schemaOf(t.Elem(), key+".*")
		}
		return s
	case reflect.Slice:
		return map[string]any{"type": []string{"array", "null"}, "items": withChoices(schemaOf(t.Elem(), key+".*"), key)}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64: // 20_000_000 is a text to some editors
		return map[string]any{"type": []string{"integer", "string"}, "pattern": "^[0-9][0-9_]*$", "minimum": 0}
	case reflect.String: // a number or a boolean is taken as it is written
		return map[string]any{"type": []string{"string", "number", "boolean"}}
	default:
		panic(fmt.Sprintf("host: no schema for %v", t))
	}
}

func schemaOfStruct(t reflect.Type, key string) map[string]any {
	properties := make(map[string]any)
	for f := range fieldsOf(t) {
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || opts == "pos" {
			continue
		}
		at := strings.TrimPrefix(key+"."+name, ".")
		s := schemaOf(f.Type, at)
		if f.Type.Kind() != reflect.Slice {
			withChoices(s, at)
		}
		s["description"] = configKeys()[at].about
		properties[name] = s
	}
	s := map[string]any{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
	switch t {
	case reflect.TypeFor[SourceConfig](), reflect.TypeFor[SecretConfig](): // one of several
		s["type"], s["minProperties"], s["maxProperties"] = "object", 1, 1
	}
	return s
}

func fieldsOf(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for field := range t.Fields() {
			if !yield(field) {
				return
			}
		}
	}
}

func withChoices(s map[string]any, key string) map[string]any {
	if choices := configKeys()[key].choices; choices != nil {
		delete(s, "type")
		s["enum"] = choices
	}
	return s
}
