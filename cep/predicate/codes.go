package predicate

import "errors"

// The codes of problems with conditions and templates, for `rhost help CODE`.
const (
	CodeSyntax    = "cel-syntax"    // not CEL
	CodeTooLarge  = "cel-limit"     // too long, too deep, too expensive
	CodeUndefined = "cel-undefined" // a name that means nothing here
	CodeType      = "cel-type"      // a value used as what it is not
	CodeConstant  = "cel-constant"  // a constant that can never work
	CodeLater     = "cel-later"     // not supported yet
	CodeSchema    = "schema-file"   // a schema of events that cannot be read
	CodePath      = "schema-path"   // a field that events of the type do not have
	CodeNever     = "schema-type"   // a test that no event of the type can pass
	CodeTable     = "table-file"    // a lookup table that cannot be read
	CodeTemplate  = "cel-template"  // a ${…} that is not one, or has no value
)

// Codes explains each code.
func Codes() map[string]string {
	return map[string]string{
		CodeSyntax:    "A condition is not valid CEL. Conditions compare fields (`data.size > 10`), join comparisons with && and ||, negate with !, and put texts in quotes.",
		CodeTooLarge:  "A condition is too long, too deep or too expensive. Conditions are at most 16 KiB long and 64 brackets deep, and regular expressions at most 1 KiB. Conditions that are nothing but fields tested against constants, joined with &&, || and !, may be 4 MiB long, with 262,144 tests or values in a list.",
		CodeUndefined: "A condition names something that it cannot see. The event under test is type, source, subject, id, time, data.* and ext.NAME; elements that come earlier in the pattern go by their names.",
		CodeType:      "A condition uses a value as what it is not, such as comparing a text with a number. Payload fields have any type; attributes, times and literals have one.",
		CodeConstant:  "A constant in a condition can never work: a regular expression, network, time, duration, time zone or number that cannot be read.",
		CodeLater:     "The name belongs to a later release.",
		CodeSchema:    "A schema of events cannot be read. It is a JSON Schema of the payload, of at most 256 KiB; the types of events it is about are its x-event-type or the name of its file, and every $ref stays inside the document.",
		CodePath:      "A condition says of what type its events are, and reads a field that the schema of this type does not allow or does not declare.",
		CodeNever:     "A condition tests a field in a way that no event of its type can pass, going by the schema: a text compared with a number, startsWith on a number, a value that is not among those of enum or const.",
		CodeTable:     "A lookup table cannot be read. Tables are .json (a map from key to value, or a list of keys), .csv (a header, then the key in the first column) or .txt (one key a line), of at most 64 MiB and 2,097,152 keys.",
		CodeTemplate:  "A ${…} in a text is not closed, or has no value: a field is missing, an element is not bound, or a value has the wrong type. Write $${ for the two characters ${ themselves.",
	}
}

var errPatternTooLong = errors.New("the regular expression is longer than 1,024 bytes")

var errPatternTooLarge = errors.New("the regular expression repeats too much: repetitions inside repetitions multiply")
