package wasm

import (
	"bytes"
	"strings"

	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
)

// maxStdio bounds what a run passes on of its standard output and standard
// error, since a guest pays little for it.
const maxStdio = 64 << 10

// lineCost is what a line counts against maxStdio beside its bytes, so that
// empty lines come to an end too.
const lineCost = 32

// stdio cuts what a guest writes to its standard output and standard error into
// log lines.
type stdio struct {
	room  int       // bytes that are still passed on
	part  [2][]byte // of each descriptor, a line that has not ended yet
	panic string    // the line in which the guest said why it is about to end
	last  string    // the last line of standard error
}

func newStdio() stdio { return stdio{room: maxStdio} }

// write takes bytes of descriptor fd, 1 or 2, and passes on the lines that they
// complete.
func (s *stdio) write(r *run, fd uint32, b []byte) {
	for len(b) > 0 && s.room > 0 {
		line, rest, ended := bytes.Cut(b, []byte("\n"))
		part := &s.part[fd-1]
		n := min(len(line), v1.MaxLogLine-len(*part), s.room)
		*part = append(*part, line[:n]...)
		s.room -= n
		if ended {
			s.room -= lineCost
			s.flush(r, fd)
		}
		if s.room <= 0 {
			s.end(r)
			r.log(sandbox.LogWarn, "(the rest of what the guest wrote is left out)")
		}
		b = rest
	}
}

// flush passes on what there is of a line.
func (s *stdio) flush(r *run, fd uint32) {
	line := clip(s.part[fd-1])
	s.part[fd-1] = s.part[fd-1][:0]
	if line == "" {
		return
	}
	if s.panic == "" && isPanic(line) {
		s.panic = line
	}
	level := sandbox.LogInfo
	if fd == 2 {
		level = sandbox.LogWarn
		s.last = line
	}
	r.log(level, line)
}

// end passes on lines that the guest did not end.
func (s *stdio) end(r *run) {
	s.flush(r, 1)
	s.flush(r, 2)
}

// lastWords is why a program ended as it did: its panic, or the last line that it wrote
// to its standard error.
func (s *stdio) lastWords() string {
	if s.panic != "" {
		return s.panic
	}
	return s.last
}

// isPanic recognises how Go and Rust begin their last words.
func isPanic(line string) bool {
	return strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") || strings.HasPrefix(line, "thread '")
}
