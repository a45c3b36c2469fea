package event

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// AppendJSON appends the event as one structured CloudEvent on one line.
// Attributes that are absent are left out, so an event from ParseLoose stays as
// loose as it came. The payload goes out as it came in, without line breaks; one
// that is not JSON goes out as a text when its content type is text/…, and else
// in data_base64. The time is in UTC.
func (e *Event) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"specversion":"1.0"`...)
	dst = appendMember(dst, "id", e.ID)
	dst = appendMember(dst, "source", e.Source)
	dst = appendMember(dst, "type", e.Type)
	dst = appendMember(dst, "subject", e.Subject)
	if !e.Time.IsZero() {
		dst = append(dst, `,"time":"`...)
		dst = e.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
		dst = append(dst, '"')
	}
	dst = appendMember(dst, "datacontenttype", e.DataContentType)
	dst = appendMember(dst, "dataschema", e.DataSchema)
	for _, a := range e.Ext {
		dst = append(dst, ',')
		dst = appendString(dst, a.Name)
		dst = append(dst, ':')
		dst = a.Value.AppendJSON(dst)
	}
	return append(e.appendData(dst), '}')
}

func (e *Event) appendData(dst []byte) []byte {
	switch {
	case e.Data == nil:
		return dst
	case e.IsJSON():
		dst = append(dst, `,"data":`...)
		return appendLine(dst, e.Data)
	case strings.HasPrefix(e.DataContentType, "text/") && utf8.Valid(e.Data):
		dst = append(dst, `,"data":`...)
		return appendString(dst, alias(e.Data))
	}
	dst = append(dst, `,"data_base64":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, e.Data)
	return append(dst, '"')
}

// MarshalJSON is AppendJSON for encoding/json.
func (e Event) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil), nil }

// UnmarshalJSON is Parse for encoding/json; b is copied.
func (e *Event) UnmarshalJSON(b []byte) error {
	ev, err := Parse(bytes.Clone(b))
	if err == nil {
		*e = ev
	}
	return err
}

func appendMember(dst []byte, name, s string) []byte {
	if s == "" {
		return dst
	}
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	dst = append(dst, `":`...)
	return appendString(dst, s)
}

// appendLine appends JSON without its line breaks, which can only stand
// between tokens.
func appendLine(dst, json []byte) []byte {
	if bytes.IndexByte(json, '\n') < 0 && bytes.IndexByte(json, '\r') < 0 {
		return append(dst, json...)
	}
	for _, c := range json {
		if c != '\n' && c != '\r' {
			dst = append(dst, c)
		}
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	if plain(bytesOf(s), 0) == len(s) && utf8.ValidString(s) {
		dst = append(dst, s...)
		return append(dst, '"')
	}
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r < 0x20:
			dst = append(dst, `\u00`...)
			dst = append(dst, hexDigits[r>>4], hexDigits[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// appendNumber writes whole numbers without an exponent as far as doubles hold
// them exactly, and the rest as short as they can be read back.
func appendNumber(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return append(dst, "null"...)
	case f == math.Trunc(f) && math.Abs(f) <= 1<<53:
		return strconv.AppendInt(dst, int64(f), 10)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}
