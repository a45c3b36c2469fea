package event

import (
	"fmt"
	"strconv"
	"strings"
)

// SyntaxError says that bytes are not the JSON (or the binary form) they should
// be. Nothing of such an event can be used.
type SyntaxError struct {
	Offset int    // byte offset in the parsed bytes
	Msg    string // what is wrong
	Fix    string // what to do about it; may be empty
}

func (e *SyntaxError) Error() string {
	return withFix(fmt.Sprintf("%s at offset %d", e.Msg, e.Offset), e.Fix)
}

// FieldError says that an event is well-formed JSON and yet not a CloudEvent,
// because of one attribute.
type FieldError struct {
	Attr   string // the attribute as written, such as "time"
	Offset int    // byte offset of its value in the parsed bytes; -1 when it has none
	Msg    string // what is wrong
	Fix    string // what to do about it; may be empty
}

func (e *FieldError) Error() string {
	msg := e.Attr + ": " + e.Msg
	if e.Offset >= 0 {
		msg += fmt.Sprintf(" (offset %d)", e.Offset)
	}
	return withFix(msg, e.Fix)
}

// BatchError names every bad event of a batch. Offsets in its items count from
// the start of the batch.
type BatchError struct {
	Items []BatchItem // in order of Index; never empty
}

// BatchItem is one bad event of a batch.
type BatchItem struct {
	Index int // position in the array, from 0
	Err   error
}

func (e *BatchError) Error() string {
	const shown = 5
	var b strings.Builder
	for i, it := range e.Items {
		if i == shown {
			fmt.Fprintf(&b, "; and %d more", len(e.Items)-shown)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString("event " + strconv.Itoa(it.Index) + ": " + it.Err.Error())
	}
	return b.String()
}

// Unwrap gives the errors of the items, for errors.As.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, len(e.Items))
	for i, it := range e.Items {
		errs[i] = it.Err
	}
	return errs
}

// Indices lists the positions of the bad events.
func (e *BatchError) Indices() []int {
	idx := make([]int, len(e.Items))
	for i, it := range e.Items {
		idx[i] = it.Index
	}
	return idx
}

// LineError says that one line of a stream cannot be used; the Reader goes on
// with the next.
type LineError struct {
	Line   int   // from 1
	Offset int64 // byte offset of the line's start in the stream
	Msg    string
	Fix    string
}

func (e *LineError) Error() string {
	return withFix(fmt.Sprintf("line %d: %s", e.Line, e.Msg), e.Fix)
}

func withFix(msg, fix string) string {
	if fix == "" {
		return msg
	}
	return msg + "; " + fix
}
