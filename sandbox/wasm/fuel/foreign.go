package fuel

import (
	"bytes"
	"encoding/binary"
)

var magic = []byte("\x00asm") //nolint:gochecknoglobals // a constant

// foreign recognises what is not a core WebAssembly module and says what it is,
// because the usual mistake is to upload the right program in the wrong form.
func foreign(b []byte) *Error {
	if len(b) == 0 {
		return errorf(-1, "the file is empty")
	}
	if !bytes.HasPrefix(b, magic) {
		return notWasm(b)
	}
	if len(b) < 8 {
		return errorf(len(b), "the file ends inside the header")
	}
	switch version := binary.LittleEndian.Uint32(b[4:]); {
	case version == 1:
		return nil
	case version>>16 == 1:
		return errorf(4, "this is a component-model binary, not a core module").
			withFix("build a core module: for Go GOOS=wasip1 -buildmode=c-shared, for Rust --target wasm32-unknown-unknown or wasm32-wasip1, or unbundle the component")
	default:
		return errorf(4, "version %d of the binary format is not admitted", version).withFix("build for version 1")
	}
}

func notWasm(b []byte) *Error {
	for _, f := range []struct{ prefix, what, fix string }{
		{"\x7fELF", "an ELF program for this machine", "build for wasm32"},
		{"MZ", "a Windows program", "build for wasm32"},
		{"\xcf\xfa\xed\xfe", "a macOS program", "build for wasm32"},
		{"\xca\xfe\xba\xbe", "a macOS program or a Java class", "build for wasm32"},
		{"\x1f\x8b", "gzip", "unpack it first"},
		{"\x28\xb5\x2f\xfd", "zstd", "unpack it first"},
		{"BZh", "bzip2", "unpack it first"},
		{"\xfd7zXZ", "xz", "unpack it first"},
		{"PK\x03\x04", "a zip archive", "unpack it first"},
		{"!<arch>\n", "an archive of object files", "link it first"},
		{"BC\xc0\xde", "LLVM bitcode", "compile and link it first"},
		{"#!", "a script", "name it .lua or .js, if it is one"},
		{"{", "JSON", "upload the module it belongs to"},
	} {
		if bytes.HasPrefix(b, []byte(f.prefix)) {
			return errorf(0, "this is not WebAssembly but %s", f.what).withFix("%s", f.fix)
		}
	}
	if text := bytes.TrimLeft(b[:min(len(b), 512)], " \t\r\n"); bytes.HasPrefix(text, []byte("(")) || bytes.HasPrefix(text, []byte(";;")) {
		return errorf(0, "this is the text format of WebAssembly").withFix("turn it into binary with wat2wasm")
	}
	if looksLikeText(b) {
		return text(b)
	}
	return errorf(0, "this is not WebAssembly: it does not begin with \\0asm")
}
