package form

import (
	"bufio"
	"encoding/binary"
	"time"
)

// Writer writes pieces to a bufio.Writer, which the caller flushes. The first error
// sticks: nothing is written after it.
type Writer struct {
	W   *bufio.Writer
	buf []byte
	err error
}

// Err is the first error of W.
func (w *Writer) Err() error { return w.err }

// Broken notes what a writer of a part of the stream says, if it is an error.
func (w *Writer) Broken(err error) {
	if w.err == nil {
		w.err = err
	}
}

// Put writes bytes as they are.
func (w *Writer) Put(b []byte) {
	if w.err == nil {
		_, w.err = w.W.Write(b)
	}
}

// Uint writes a number.
func (w *Writer) Uint(n uint64) {
	w.buf = binary.AppendUvarint(w.buf[:0], n)
	w.Put(w.buf)
}

// Text writes a text.
func (w *Writer) Text(s string) {
	w.Uint(uint64(len(s)))
	if w.err == nil {
		_, w.err = w.W.WriteString(s)
	}
}

// Bytes writes bytes as a text.
func (w *Writer) Bytes(b []byte) {
	w.Uint(uint64(len(b)))
	w.Put(b)
}

// Raw writes bytes, or that there are none.
func (w *Writer) Raw(b []byte) {
	if b == nil {
		w.Uint(0)
		return
	}
	w.Uint(uint64(len(b)) + 1)
	w.Put(b)
}

// Time writes a time.
func (w *Writer) Time(t time.Time) {
	w.buf = AppendTime(w.buf[:0], t)
	w.Put(w.buf)
}
