package script

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/event"
)

// AppendCall appends what a script gets as its argument, as one JSON object:
//
//	{match, event, with, config, attempt, key}
//
// event is null when time completed the match; with and config are objects,
// empty when there are none. config is left empty when it is not granted.
func AppendCall(dst []byte, call *abi.Call, config bool) []byte {
	dst = append(dst, `{"match":`...)
	dst = appendMatch(dst, &call.Match)
	dst = append(dst, `,"event":`...)
	if call.Event.Type == "" {
		dst = append(dst, "null"...)
	} else {
		dst = appendEvent(dst, &call.Event)
	}
	dst = append(dst, `,"with":`...)
	dst = appendObject(dst, call.With)
	dst = append(dst, `,"config":`...)
	if config {
		dst = appendObject(dst, call.Config)
	} else {
		dst = append(dst, "{}"...)
	}
	dst = append(dst, `,"attempt":`...)
	dst = strconv.AppendInt(dst, int64(call.Attempt), 10)
	dst = append(dst, `,"key":`...)
	dst = AppendString(dst, call.Key)
	return append(dst, '}')
}

func appendObject(dst []byte, raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return append(dst, "{}"...)
	}
	return append(dst, raw...)
}

func appendMatch(dst []byte, m *abi.Match) []byte {
	dst = append(dst, '{')
	dst = appendField(dst, "tenant", m.Tenant)
	dst = appendField(dst, "rule", m.Rule)
	dst = appendField(dst, "version", m.Version)
	dst = appendField(dst, "id", m.ID)
	if !m.At.IsZero() {
		dst = appendField(dst, "at", m.At.UTC().Format(time.RFC3339Nano))
	}
	dst = appendField(dst, "trigger", m.Trigger)
	dst = append(dst, `"bind":{`...)
	for i, name := range sortedKeys(m.Bind) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, name)
		dst = append(dst, ':', '[')
		for j, id := range m.Bind[name] {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = AppendString(dst, id)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}', '}')
}

// appendField appends a member and a comma.
func appendField(dst []byte, name, value string) []byte {
	dst = AppendString(dst, name)
	dst = append(dst, ':')
	dst = AppendString(dst, value)
	return append(dst, ',')
}

func appendEvent(dst []byte, e *event.Event) []byte {
	dst = append(dst, '{')
	dst = appendField(dst, "id", e.ID)
	dst = appendField(dst, "source", e.Source)
	dst = appendField(dst, "type", e.Type)
	if e.Subject != "" {
		dst = appendField(dst, "subject", e.Subject)
	}
	if !e.Time.IsZero() {
		dst = appendField(dst, "time", e.Time.UTC().Format(time.RFC3339Nano))
	}
	if e.DataContentType != "" {
		dst = appendField(dst, "datacontenttype", e.DataContentType)
	}
	if e.DataSchema != "" {
		dst = appendField(dst, "dataschema", e.DataSchema)
	}
	dst = append(dst, `"data":`...)
	dst = appendData(dst, e)
	dst = append(dst, `,"ext":{`...)
	for i, a := range e.Ext {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, a.Name)
		dst = append(dst, ':')
		dst = a.Value.AppendJSON(dst)
	}
	return append(dst, '}', '}')
}

// appendData appends the payload: JSON as it is, other text as a string, other
// bytes as null, since a script has no type for them.
func appendData(dst []byte, e *event.Event) []byte {
	switch {
	case len(e.Data) == 0:
		return append(dst, "null"...)
	case e.IsJSON():
		return append(dst, e.Data...)
	case utf8.Valid(e.Data):
		return AppendString(dst, string(e.Data))
	}
	return append(dst, "null"...)
}
