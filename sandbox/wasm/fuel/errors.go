package fuel

import "fmt"

// Error says why a module is not admitted. Its text names the function, the
// place in the file and, where there is one, the fix.
type Error struct {
	Func   int    // index of the function, imports counted first; -1 outside functions
	Name   string // the function's name, when the module gives it one
	Offset int    // byte offset in the module; -1 when the module as a whole is meant
	What   string // what is wrong
	Fix    string // what the author does about it; may be empty
}

func (e *Error) Error() string {
	msg := ""
	if e.Func >= 0 {
		msg = fmt.Sprintf("function %d", e.Func)
		if e.Name != "" {
			msg += " (" + e.Name + ")"
		}
		msg += ", "
	}
	if e.Offset >= 0 {
		msg += fmt.Sprintf("offset 0x%x", e.Offset)
	}
	if msg != "" {
		msg += ": "
	}
	msg += e.What
	if e.Fix != "" {
		msg += "; " + e.Fix
	}
	return msg
}

// Where is the place that the error speaks of: "function 12 (main.run), offset
// 0x3f2", or "" when the module as a whole is meant.
func (e *Error) Where() string {
	place := (&Error{Func: e.Func, Name: e.Name, Offset: e.Offset}).Error()
	if len(place) < 2 {
		return ""
	}
	return place[:len(place)-2]
}

func errorf(offset int, format string, args ...any) *Error {
	return &Error{Func: -1, Offset: offset, What: fmt.Sprintf(format, args...)}
}

// withFix says what the author does about the error.
func (e *Error) withFix(format string, args ...any) *Error {
	e.Fix = fmt.Sprintf(format, args...)
	return e
}
