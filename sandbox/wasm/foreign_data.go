package wasm

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/event"
)

// arguments are what a step says to a guest that knows nothing of steps.
type arguments struct {
	export string   // which function to call; the call's own word when the step has none
	input  []byte   // what the guest gets as its input
	given  bool     // the step gave an input
	args   []string // command line of a WASI command
}

// readArguments reads the arguments of the step that are meant for the host: export,
// input and args.
func readArguments(call *abi.Call) (arguments, error) {
	a := arguments{export: call.Export}
	if len(call.With) == 0 {
		return a, nil
	}
	var with map[string]json.RawMessage
	if err := json.Unmarshal(call.With, &with); err != nil {
		return a, fmt.Errorf("read the arguments of the step: %w", err)
	}
	if raw, ok := with["export"]; ok {
		if json.Unmarshal(raw, &a.export) != nil {
			return a, errors.New("with.export: write the name of a function")
		}
	}
	if raw, ok := with["input"]; ok {
		a.given = true
		a.input = plainText(raw)
	}
	if raw, ok := with["args"]; ok {
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil {
			return a, errors.New("with.args: write a list of texts")
		}
		for _, item := range list {
			a.args = append(a.args, string(plainText(item)))
		}
	}
	return a, nil
}

// plainText returns a JSON string as its text, null as nothing, and every other value
// as its JSON.
func plainText(raw json.RawMessage) []byte {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var s string
	if raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return []byte(s)
	}
	return raw
}

// appendCall appends a call as a JSON object, the input of an Extism plugin.
func (f *frame) appendCall(b []byte, call *abi.Call) []byte {
	b = append(b, `{"event":`...)
	if call.Event.Type == "" {
		b = append(b, "null"...)
	} else {
		b = call.Event.AppendJSON(b)
	}
	b = append(b, `,"with":`...)
	if len(call.With) == 0 {
		b = append(b, "{}"...)
	} else {
		b = append(b, call.With...)
	}
	f.appendMatch(&call.Match)
	b = append(append(b, `,"match":`...), f.match...)
	b = strconv.AppendInt(append(b, `,"attempt":`...), int64(call.Attempt), 10)
	b = appendText(append(b, `,"key":`...), call.Key)
	return append(b, '}')
}

// eventLine returns the event as a structured CloudEvent on a line, nothing when time
// completed the match: the standard input of a WASI command.
func eventLine(call *abi.Call) []byte {
	if call.Event.Type == "" {
		return nil
	}
	return append(call.Event.AppendJSON(nil), '\n')
}

// foreignOutput turns what a guest gave into the output of a step: JSON is taken as it
// is, other text becomes a string, and bytes that are no text an object with the member
// base64. Nothing stays nothing.
func foreignOutput(text []byte, limit int) (json.RawMessage, error) {
	var out []byte
	switch {
	case len(text) == 0:
		return nil, nil
	case !utf8.Valid(text):
		out = append([]byte(nil), `{"base64":"`...)
		out = append(base64.StdEncoding.AppendEncode(out, text), `"}`...)
	case json.Valid(text):
		out = append(out, text...)
	default:
		out = event.StringValue(string(text)).AppendJSON(nil)
	}
	if len(out) > limit {
		return nil, fmt.Errorf("output of %d bytes; at most %d are allowed; raise limits.output of the plugin if they are wanted", len(out), limit)
	}
	return out, nil
}
