package manifest

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

// SchemaJSON is the JSON Schema of manifests, for editors and for SDKs in other
// languages.
//
//go:embed schema.json
var SchemaJSON []byte

// Generate makes SchemaJSON from the table that Parse reads by.
func Generate() ([]byte, error) {
	root := objectSchema("What an rhost plugin says about itself", fields())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "rhost.manifest"
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the schema of manifests: %w", err)
	}
	return append(text, '\n'), nil
}

func objectSchema(about string, list []field) map[string]any {
	properties := make(map[string]any, len(list))
	var required []string
	for _, f := range list {
		properties[f.key] = f.schema
		if f.required {
			required = append(required, f.key)
		}
	}
	s := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if about != "" {
		s["description"] = about
	}
	if required != nil {
		s["required"] = required
	}
	return s
}
