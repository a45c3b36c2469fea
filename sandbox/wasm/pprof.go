package wasm

import (
	"compress/gzip"
	"encoding/binary"
	"io"
)

// pprof builds a profile in pprof's format: a message of protocol buffers,
// compressed. github.com/google/pprof/proto/profile.proto describes it; the few
// fields that are needed are numbered here.
type pprof struct {
	out     []byte
	text    map[string]int64 // index in the table of strings
	texts   []string
	place   map[string]uint64 // location, and function, of a name
	fields  []byte            // reused for the message within a message
	numbers []byte
}

// The fields of message Profile that are written.
const (
	pprofSampleType    = 1
	pprofSample        = 2
	pprofLocation      = 4
	pprofFunction      = 5
	pprofString        = 6
	pprofDefaultSample = 14
)

// newPprof begins a profile whose samples have two values, each with a type and
// a unit. The second is shown unless one asks for the first.
func newPprof(type1, unit1, type2, unit2 string) *pprof {
	e := &pprof{text: make(map[string]int64), place: make(map[string]uint64)}
	e.string("") // the first is empty by rule
	for _, t := range [][2]string{{type1, unit1}, {type2, unit2}} {
		e.fields = e.fields[:0]
		e.fields = field(e.fields, 1, uint64(e.string(t[0])))
		e.fields = field(e.fields, 2, uint64(e.string(t[1])))
		e.out = message(e.out, pprofSampleType, e.fields)
	}
	e.out = field(e.out, pprofDefaultSample, uint64(e.string(type2)))
	return e
}

// string returns the index of a text.
func (e *pprof) string(s string) int64 {
	i, ok := e.text[s]
	if !ok {
		i = int64(len(e.texts))
		e.text[s], e.texts = i, append(e.texts, s)
	}
	return i
}

// location returns the number of a function's only location.
func (e *pprof) location(name string) uint64 {
	if id, ok := e.place[name]; ok {
		return id
	}
	id := uint64(len(e.place) + 1)
	e.place[name] = id
	fn := field(nil, 1, id)
	fn = field(fn, 2, uint64(e.string(name)))
	e.out = message(e.out, pprofFunction, fn)
	location := field(nil, 1, id)
	location = message(location, 4, field(nil, 1, id)) // a line, of which only the function is known
	e.out = message(e.out, pprofLocation, location)
	return id
}

// sample adds the values of a chain of calls, the innermost first.
func (e *pprof) sample(stack []string, value1, value2 int64) {
	e.fields, e.numbers = e.fields[:0], e.numbers[:0]
	for _, name := range stack {
		e.numbers = binary.AppendUvarint(e.numbers, e.location(name))
	}
	e.fields = message(e.fields, 1, e.numbers)
	e.numbers = binary.AppendUvarint(e.numbers[:0], uint64(value1))
	e.numbers = binary.AppendUvarint(e.numbers, uint64(value2))
	e.fields = message(e.fields, 2, e.numbers)
	e.out = message(e.out, pprofSample, e.fields)
}

func (e *pprof) writeTo(w io.Writer) (int64, error) {
	for _, s := range e.texts {
		e.out = message(e.out, pprofString, []byte(s))
	}
	count := &counter{w: w}
	zip := gzip.NewWriter(count)
	if _, err := zip.Write(e.out); err != nil {
		return count.n, err
	}
	err := zip.Close()
	return count.n, err
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// field appends a number.
func field(b []byte, number int, v uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(number)<<3), v)
}

// message appends bytes: a message, a text, or a list of numbers.
func message(b []byte, number int, content []byte) []byte {
	b = binary.AppendUvarint(b, uint64(number)<<3|2)
	b = binary.AppendUvarint(b, uint64(len(content)))
	return append(b, content...)
}
