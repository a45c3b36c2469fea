package wasm

import (
	"strconv"
	"strings"

	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// TrapError is the error of a guest that crashed, with the guest's stack. It is in
// the chain of the Fault's error.
type TrapError struct {
	Text   string   // "unreachable", "panic: no user"
	Frames []string // functions, the innermost first
}

func (t *TrapError) Error() string { return t.Text }

// helperPrefix begins the names that the fuel pass gives to the functions it adds
// at the end of a module, where the module has names at all.
const helperPrefix = "rhost."

// injected is how many functions the fuel pass adds after a module's imports.
const injected = 2

// names translates the function names of wazero's stack traces, which speak of
// the rewritten module, to those of the module as it was uploaded.
type names struct {
	imports int            // functions imported
	funcs   int            // functions imported and defined
	exports map[int]string // by index in the uploaded module
}

func newNames(info *fuel.Info) names {
	n := names{funcs: info.Counts.Funcs, exports: make(map[int]string)}
	for _, imp := range info.Imports {
		if imp.Kind == fuel.KindFunc {
			n.imports++
		}
	}
	n.funcs += n.imports
	for _, e := range info.Exports {
		if e.Kind == fuel.KindFunc {
			n.exports[int(e.Index)] = e.Name
		}
	}
	return n
}

// parse takes wazero's text of an error apart: what happened, and the frames.
func (n names) parse(text string) *TrapError {
	what, stack, _ := strings.Cut(text, "wasm stack trace:")
	what = strings.TrimPrefix(strings.TrimSpace(what), "wasm error: ")
	t := &TrapError{Text: strings.TrimSuffix(what, " (recovered by wazero)")}
	for line := range strings.Lines(stack) {
		if frame := n.frame(line); frame != "" {
			t.Frames = append(t.Frames, frame)
		}
	}
	return t
}

// frame returns the name of the function on a line of a trace: "\t.name(i32) i32"
// or "\t.$12(i32)". It is "" for a line that names none of the guest's.
func (n names) frame(line string) string {
	name, ok := strings.CutPrefix(strings.TrimSpace(line), ".")
	if !ok || strings.HasPrefix(name, "..") { // "... maybe followed by omitted frames"
		return ""
	}
	name = signatureless(name)
	if strings.HasPrefix(name, helperPrefix) {
		return ""
	}
	digits, ok := strings.CutPrefix(name, "$")
	if !ok {
		return name
	}
	index, err := strconv.Atoi(digits)
	if err != nil {
		return name
	}
	index -= injected
	if index < n.imports || index >= n.funcs {
		return "" // a helper of the fuel pass
	}
	if export, ok := n.exports[index]; ok {
		return export
	}
	return "function " + strconv.Itoa(index)
}

// signatureless cuts the signature that wazero puts after a name, which may hold
// brackets of its own.
func signatureless(name string) string {
	end := len(name)
	if i := strings.LastIndexByte(name, ')'); i >= 0 {
		end = i // results follow the closing bracket
	}
	if i := strings.LastIndexByte(name[:end], '('); i >= 0 {
		// Several results have brackets too: "f(i32) (i32,i32)".
		if end == len(name)-1 && i > 1 && name[i-1] == ' ' && name[i-2] == ')' {
			return signatureless(name[:i-1])
		}
		return name[:i]
	}
	return name
}

// where returns the frame that an author wants to see first: the innermost that
// is not part of the language's runtime.
func (t *TrapError) where() string {
	for _, f := range t.Frames {
		if !strings.HasPrefix(f, "runtime.") && !strings.HasPrefix(f, "runtime_") && f != "go:wasm" && !strings.HasPrefix(f, "_rt0_") {
			return f
		}
	}
	if len(t.Frames) > 0 {
		return t.Frames[0]
	}
	return ""
}
