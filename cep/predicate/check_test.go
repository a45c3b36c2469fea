package predicate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/yamldoc"
)

func schema(t require.TestingT, file, src string) *predicate.Schema {
	s, err := predicate.ParseSchema(file, []byte(src))
	require.NoError(t, err)
	return s
}

func testSchemas(t require.TestingT) *predicate.Schemas {
	s, err := predicate.NewSchemas(
		schema(t, "schemas/order.created.json", `{
			"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": false,
			"properties": {
				"id": {"type": "string"}, "total": {"type": "number"}, "paid": {"type": "boolean"},
				"state": {"enum": ["new", "open", "done", 7]}, "kind": {"const": "web"},
				"items": {"type": "array", "items": {"$ref": "#/$defs/item"}},
				"note": {"type": ["string", "null"]}, "free": {"type": "object"}, "any": true,
				"pay": {"oneOf": [{"properties": {"card": {"type": "string"}}, "type": "object", "additionalProperties": false}, {"properties": {"iban": {"type": "string"}}, "type": "object"}]},
				"all": {"allOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {"type": "integer"}}}]}
			},
			"patternProperties": {"^x-": {"type": "number"}},
			"$defs": {"item": {"type": "object", "properties": {"price": {"type": "number"}, "next": {"$ref": "#/$defs/item"}}}}
		}`),
		schema(t, "a.json", `{"x-event-type": ["login", "logout"], "properties": {"user": {"type": "string"}, "n": {"type": "integer"}}}`),
	)
	require.NoError(t, err)
	return s
}

func TestCheck(t *testing.T) {
	schemas := testSchemas(t)
	scope := predicate.Scope{Elements: []predicate.Element{
		{Name: "in", EventTypes: []string{"login", "logout"}},
		{Name: "many", Repeated: true, EventTypes: []string{"login"}},
		{Name: "free"},
		{Name: "here"},
	}, Under: 3}
	scope.Elements[0].Name = "enter"
	for src, want := range map[string]string{
		`data.id == "a" && data.total > 5 && data.paid && data.items[0].price >= 1`: ``,
		`data.state in ["new", 7] && data.kind == "web" && data.note == null`:       ``,
		`data.free.x.y == 1 && data.any.thing == 2 && data["x-n"] > 1`:              ``,
		`(data.pay.card == "c" || data.pay.iban == "i" || data.pay.other == 1)`:     `r.yaml:1:78: the schema declares no data.pay.other; known keys are iban`,
		`data.all.a == "x" && data.all.b == 1 && has(data.id)`:                      ``,
		`data.items[0].next.next.price > 1`:                                         ``,
		`data.nope == 1`:                                                            `r.yaml:1:29: the schema allows no data.nope (additionalProperties is false); did you mean note?`,
		`data.totl > 1`:                                                             `the schema allows no data.totl (additionalProperties is false); did you mean total?`,
		`data.items[0].prise == 1`:                                                  `r.yaml:1:29: the schema declares no data.items[0].prise; did you mean price?`,
		`data.all.c == 1`:                                                           `the schema declares no data.all.c`,
		`data.id.x == 1`:                                                            `data.id is a text, which has no fields; leave out what follows data.id`,
		`data.id[0] == 1`:                                                           `data.id is a text, which has no items`,
		`data.total == "5"`:                                                         `data.total is a number by the schema, which == with a text does not work on`,
		`!(data.total != "5")`:                                                      `data.total is a number by the schema, which != with a text does not work on`,
		`data.total.startsWith("5")`:                                                `which startsWith does not work on`,
		`lower(data.total) == "a"`:                                                  `which lower does not work on`,
		`data.id`:                                                                   `data.id is a text by the schema, which a condition of its own does not work on`,
		`data.id > 5`:                                                               `which > with a number does not work on`,
		`data.id in [1, 2]`:                                                         `which in with such values does not work on`,
		`data.state == "opn"`:                                                       `data.state is never "opn" by the schema; it can be "new", "open", "done", 7`,
		`data.state != "opn"`:                                                       `data.state is never "opn"`,
		`data.state in ["new", "old"]`:                                              `data.state is never "old"`,
		`lower(data.state) == "new"`:                                                ``,
		`data.state.startsWith("x")`:                                                `no value that the schema lets data.state have passes data.state.startsWith("x")`,
		`data.kind == "mail"`:                                                       `data.kind is never "mail" by the schema; it can be "web"`,
		`data.id == data.total`:                                                     `data.id is a text and data.total a number by the schema`,
		`data.id * 2 > 1`:                                                           `data.id is a text by the schema, which * does not work on`,
		`-data.id == 1`:                                                             `which - does not work on`,
		`data.total in data.id`:                                                     `which in does not work on`,
		`data.id.contains(data.total)`:                                              `data.total is a number by the schema, which contains does not work on`,

		`data.items.exists(i, i.prize > 1) && data.itms.exists(i, i.price > 1)`: `r.yaml:1:66: the schema allows no data.itms`,
		`enter.data.user == data.id && enter.data.usr == "x"`:                   `r.yaml:1:59: the schema declares no data.usr; did you mean user?`,
		`last(many).data.n == "x"`:                                              `last(many).data.n is a number by the schema, which == with a text`,
		`sum(many.data.user) > 1`:                                               `which sum does not work on`,
		`free.data.whatever == 1`:                                               ``,

		"\n data.x.contains(\"data.nope\") &&\n data.nope == 1 && data.nope == 2 && data.no == 1": `r.yaml:3:3: the schema allows no data.nope`,
	} {
		pinned := `type == "order.created" && ` + src
		if strings.HasPrefix(src, "\n") {
			pinned = `type in ["order.created"] && ` + src
		}
		set := predicate.NewSet()
		errs := set.Check(pinned, yamldoc.Pos{File: "r.yaml", Line: 1, Col: 2}, scope, schemas)
		if want == "" {
			assert.Empty(t, errs, src)
			continue
		}
		if assert.NotEmpty(t, errs, src) {
			assert.Contains(t, errs.Error(), want, src)
		}
		if src[0] != '\n' {
			assert.Len(t, errs, 1, src)
		}
	}
}

// Without a schema for every type that a condition can be about, nothing is said.
func TestCheckKnowsItsLimits(t *testing.T) {
	schemas := testSchemas(t)
	for _, src := range []string{
		`data.nope == 1`,
		`type == "other" && data.nope == 1`,
		`type in ["login", "other"] && data.nope == 1`,
		`type != "login" && data.nope == 1`,
		`type == "login" || data.nope == 1`,
		`type in ["login", "order.created"] && data.total > 1`, // one of them has it
		`type == "login" && subject == "x" && ext.nope == 1`,
		`type == "login" &&`,
	} {
		assert.Empty(t, predicate.NewSet().Check(src, yamldoc.Pos{}, predicate.Scope{}, schemas), src)
	}
	assert.Empty(t, predicate.NewSet().Check(`type == "login" && data.nope == 1`, yamldoc.Pos{}, predicate.Scope{}, nil))
	assert.Len(t, predicate.NewSet().Check(`(type == "login" && data.nope == 1) || type == "logout"`, yamldoc.Pos{}, predicate.Scope{}, schemas), 1)
}

func TestEventTypes(t *testing.T) {
	for src, want := range map[string][]string{
		`type == "a"`:                                 {"a"},
		`data.x && type in ["a", "b", "a"]`:           {"a", "b"},
		`type == "a" && data.x || type == "b"`:        {"a", "b"},
		`type != "a"`:                                 nil,
		`lower(type) == "a"`:                          nil,
		`!(type == "a")`:                              nil,
		`data.x == "a"`:                               nil,
		`(type == "a" || type == "b") && data.x == 5`: {"a", "b"},
	} {
		cond, err := predicate.NewSet().Add(predicate.Scope{}, src, yamldoc.Pos{})
		require.NoError(t, err)
		assert.Equal(t, want, cond.EventTypes(), src)
	}
}

func TestParseSchema(t *testing.T) {
	assert.Equal(t, []string{"order.created"}, schema(t, "schemas/order.created.json", `{}`).EventTypes())
	assert.Equal(t, []string{"b"}, schema(t, "a.json", `{"x-event-type": "b"}`).EventTypes())
	assert.Equal(t, []string{"a"}, schema(t, "a.json", `true`).EventTypes())
	for src, want := range map[string]string{
		`{`: "s.json:1: is not JSON: unexpected end",

		"{\n\"a\": x}":                             "s.json:2: is not JSON",
		`{"a": 1, "a": 2}`:                         "give each key of a map once",
		`{"type": "strng"}`:                        "is not a JSON Schema: at '/type'",
		`{"$ref": "https://example.com/a.json"}`:   `leads out of the document, and nothing is loaded from elsewhere; copy what is meant under "$defs"`,
		`{"$ref": "other.json"}`:                   "leads out of the document",
		`{"$ref": "file:///etc/passwd"}`:           "leads out of the document",
		`{"$schema": "https://example.com/draft"}`: "leads out of the document",
		`{"$ref": "#/$defs/x"}`:                    "is not a JSON Schema",
		`{"x-event-type": ""}`:                     "x-event-type: names no type of events",
		`{"x-event-type": 5}`:                      "x-event-type: names no type of events",
		`{"properties": {"a": {"pattern": "("}}}`:  "is not a JSON Schema",
		strings.Repeat("[", 70):                    "more than 64 brackets",
		strings.Repeat(" ", predicate.MaxSchema+1): "the limit is 262144",
	} {
		_, err := predicate.ParseSchema("s.json", []byte(src))
		assert.ErrorContains(t, err, want, src[:min(len(src), 60)])
	}
	_, err := predicate.NewSchemas(schema(t, "a.json", `{}`), schema(t, "b.json", `{"x-event-type": "a"}`))
	assert.ErrorContains(t, err, "b.json:1: x-event-type: events of type a have a schema already, in a.json; keep one")
}

// Schemas and conditions written to hurt take no time to speak of.
func TestCheckIsBounded(t *testing.T) {
	var doubling strings.Builder
	doubling.WriteString(`{"x-event-type": "a", "$ref": "#/$defs/d0", "$defs": {"d29": {"type": "object"}`)
	for i := range 29 {
		fmt.Fprintf(&doubling, `, "d%d": {"allOf": [{"$ref": "#/$defs/d%d"}, {"$ref": "#/$defs/d%d"}], "anyOf": [{}, {"$ref": "#/$defs/d%d"}]}`, i, i+1, i+1, i+1)
	}
	doubling.WriteString("}}")
	values := make([]string, 20_000)
	for i := range values {
		values[i] = fmt.Sprint(i)
	}
	enum := `{"enum": [` + strings.Join(values, ",") + `]}`
	for name, src := range map[string]string{
		"doubling": doubling.String(),
		"itself":   `{"x-event-type": "a", "$ref": "#"}`,
		"enum":     `{"x-event-type": "a", "properties": {"x": {"allOf": [` + enum + "," + enum + `]}}}`,
	} {
		start := time.Now()
		schemas, err := predicate.NewSchemas(schema(t, "a.json", src))
		require.NoError(t, err, name)
		set := predicate.NewSet()
		set.Check(`type == "a" && data.x in [`+strings.Repeat("1,", 50_000)+`1] && data.x == -1`, yamldoc.Pos{}, predicate.Scope{}, schemas) //nolint:errcheck // whatever it finds
		set.Check(`type == "a"`+strings.Repeat(` && data.y == 1`, 20_000), yamldoc.Pos{}, predicate.Scope{}, schemas)                        //nolint:errcheck // whatever it finds
		assert.Less(t, time.Since(start), 5*time.Second, name)
	}
}

func FuzzParseSchema(f *testing.F) {
	f.Add([]byte(`{"properties": {"a": {"type": "string"}, "n": {"$ref": "#"}}, "additionalProperties": false}`))
	f.Add([]byte(`{"allOf": [{"$ref": "#/$defs/x"}], "$defs": {"x": {"enum": [1, "a", null]}}, "if": {}, "then": {"properties": {"b": true}}}`))
	f.Add([]byte(`{"x-event-type": ["a"], "oneOf": [{"items": [{"const": 1}]}, {"prefixItems": [true, false]}], "patternProperties": {"^a": {}}}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		start := time.Now()
		s, err := predicate.ParseSchema("a.json", src)
		if err != nil {
			require.Contains(t, err.Error(), "a.json:")
			return
		}
		schemas, err := predicate.NewSchemas(s)
		if err != nil {
			return // one type twice
		}
		for _, eventType := range s.EventTypes() {
			cond := fmt.Sprintf(`type == %q && (data.a == "x" || data.n.n.b > 5 || data[0].a in ["x"] || has(data.z) || data.a)`, eventType)
			predicate.NewSet().Check(cond, yamldoc.Pos{}, predicate.Scope{}, schemas) //nolint:errcheck // whatever it finds
		}
		require.Less(t, time.Since(start), 5*time.Second)
	})
}
