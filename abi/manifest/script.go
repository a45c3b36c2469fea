package manifest

import (
	"bytes"
	"errors"
)

// A script carries its manifest in its last line, as a comment: what is uploaded,
// kept and named by its digest is one text then, as with a module. The line comes
// last so that the others keep their numbers.

// mark follows the comment sign of the script's language.
const mark = SectionName + " "

// ErrTwoInScript is the error of a script that would have two manifests.
var ErrTwoInScript = errors.New("the script carries a manifest in its last line already; keep that or the file beside it")

// FromScript returns the manifest that a script carries; nil when it carries
// none. comment is what begins a comment: "--" or "//". The result lies in text.
func FromScript(text []byte, comment string) []byte {
	last := bytes.TrimRight(text, "\r\n")
	last = last[bytes.LastIndexByte(last, '\n')+1:]
	rest, ok := bytes.CutPrefix(last, []byte(comment+mark))
	if !ok {
		return nil
	}
	return rest
}

// EmbedScript returns a copy of a script that carries the manifest m, which is
// one line of JSON.
func EmbedScript(text []byte, comment string, m []byte) ([]byte, error) {
	if FromScript(text, comment) != nil {
		return nil, ErrTwoInScript
	}
	if bytes.ContainsAny(m, "\r\n\u2028\u2029") {
		return nil, errors.New("the manifest is not on one line")
	}
	out := make([]byte, 0, len(text)+len(m)+64)
	out = append(append(out, text...), "\n"+comment+mark...)
	return append(append(out, m...), '\n'), nil
}
