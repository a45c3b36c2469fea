package fuel

import (
	"bytes"
	"regexp"
	"unicode/utf8"
)

// looked is how much of a text is looked at to tell what it is.
const looked = 4 << 10

// looksLikeText reports whether the beginning of b is UTF-8 text.
func looksLikeText(b []byte) bool {
	if len(b) > 64 {
		b = b[:64]
		for i := len(b); i > 60 && !utf8.Valid(b); i-- {
			b = b[:i] // a character may have been cut
		}
	}
	return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0
}

// sources recognise the source of a program by what its lines begin with, the more
// telling languages first.
//
//nolint:gochecknoglobals // a constant table
var sources = []struct {
	sign      *regexp.Regexp
	what, fix string
}{
	{regexp.MustCompile(`^version https://git-lfs`), "a pointer of Git LFS", "fetch the file itself with git lfs pull"},
	{regexp.MustCompile(`(?i)^\s*<(!doctype|html|\?xml)`), "a web page", "download the file itself"},
	{regexp.MustCompile(`(?m)^package \w+\s*$`), "the source of a Go program", "put it into a folder plugins/NAME/ and run rhost plugin build NAME"},
	{regexp.MustCompile(`(?m)^\s*#\s*(include|define|pragma)\b`), "the source of a C program", "compile it for wasm32 first"},
	{regexp.MustCompile(`(?m)^\s*(pub )?(fn \w+|extern "C"|use (std|core|extism_pdk)\b|#!?\[)`), "the source of a Rust program", "compile it for wasm32-wasip1 or wasm32-unknown-unknown first"},
	{regexp.MustCompile(`(?m)^(def \w+\(.*:|from \w[\w.]* import |import \w[\w.]*\s*$|class \w+.*:\s*$|print\()`), "the source of a Python program", "write it in Starlark or another language that rhost runs"},
	{regexp.MustCompile(`(?m)^\s*(local \w+|function [\w.:]+\([^{]*\)\s*$|end\s*$|-- )`), "a Lua script", "name it .lua"},
	{regexp.MustCompile(`(?m)^\s*(export |import .* from |const |let |var |(async )?function\b|class \w+.*\{|//|/\*|module\.exports)`), "the source of a JavaScript or TypeScript program", "name it .js, if it is one"},
}

// text says what a text is, the usual mistake being a source under the name of what is
// made of it.
func text(b []byte) *Error {
	b = b[:min(len(b), looked)]
	for _, s := range sources {
		if s.sign.Match(b) {
			return errorf(0, "this is not WebAssembly but %s", s.what).withFix("%s", s.fix)
		}
	}
	return errorf(0, "this is not WebAssembly but text")
}
