package event

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Reader splits a stream into the lines of NDJSON. It belongs to one goroutine.
type Reader struct {
	r       io.Reader
	maxLine int

	block []byte // what was read and not yet given out; never written to again
	pos   int64  // offset in the stream of block's start
	line  int    // number of the last line
	atEOF bool
	whole bool // the last line had its line break
}

// readBlock is how much is read at once. Lines alias their block, so a larger
// one would keep more memory alive for one event that is kept.
const readBlock = 64 << 10

// NewReader reads lines of up to maxLine bytes from r; 0 means MaxSize.
func NewReader(r io.Reader, maxLine int) *Reader {
	if maxLine <= 0 {
		maxLine = MaxSize
	}
	return &Reader{r: r, maxLine: maxLine, whole: true}
}

// Next gives the number and text of the next line that is not blank, without
// its line break (a \r before it goes too, and so does a byte order mark at the
// start of the stream). The text is never reused: Parse may keep it. At the end
// the error is io.EOF. A *LineError concerns one line, whose text, or its first
// part, is given with it; the next call goes on behind it. Any other error is
// the stream's.
func (r *Reader) Next() (line int, text []byte, err error) {
	for {
		text, start, err := r.read()
		if err != nil {
			if _, ok := errors.AsType[*LineError](err); ok {
				return r.line, text, err
			}
			return r.line, nil, err
		}
		if r.line == 1 {
			text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
		}
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if !utf8.Valid(text) {
			return r.line, text, &LineError{r.line, start, "invalid UTF-8", "write the stream as UTF-8"}
		}
		return r.line, text, nil
	}
}

// Complete reports whether the last line ended in a line break. At the end of a
// stream that is still being written, a line that is not complete is only half
// there.
func (r *Reader) Complete() bool { return r.whole }

// read cuts one line off the stream and gives its offset there.
func (r *Reader) read() (text []byte, start int64, err error) {
	from := 0
	for {
		if n := bytes.IndexByte(r.block[from:], '\n'); n >= 0 {
			r.whole = true
			return r.cut(from+n, from+n+1)
		}
		from = len(r.block)
		if from > r.maxLine+1 { // one more for a \r
			return r.discard()
		}
		if r.atEOF {
			if from == 0 {
				return nil, r.pos, io.EOF
			}
			r.whole = false
			return r.cut(from, from)
		}
		if err := r.fill(); err != nil {
			return nil, r.pos, err
		}
	}
}

// cut takes the first n bytes as a line and goes on at next.
func (r *Reader) cut(n, next int) ([]byte, int64, error) {
	r.line++
	start := r.pos
	text := bytes.TrimSuffix(r.block[:n:n], []byte("\r"))
	r.block, r.pos = r.block[next:], r.pos+int64(next)
	if len(text) > r.maxLine {
		return r.tooLong(text, start)
	}
	return text, start, nil
}

func (r *Reader) tooLong(text []byte, start int64) ([]byte, int64, error) {
	const sample = 256
	return bytes.Clone(text[:min(sample, len(text))]), start,
		&LineError{r.line, start, fmt.Sprintf("longer than %d bytes", r.maxLine), "split the event, or send a reference to its payload"}
}

// discard skips the rest of a line that is too long, without keeping it.
func (r *Reader) discard() ([]byte, int64, error) {
	r.line++
	start := r.pos
	head, _, bad := r.tooLong(r.block, start)
	for {
		r.pos += int64(len(r.block))
		r.block = r.block[:0:0]
		if r.atEOF {
			r.whole = false
			return head, start, bad
		}
		if err := r.fill(); err != nil {
			return nil, r.pos, err
		}
		if n := bytes.IndexByte(r.block, '\n'); n >= 0 {
			r.whole = true
			r.block, r.pos = r.block[n+1:], r.pos+int64(n+1)
			return head, start, bad
		}
	}
}

// fill reads more behind the block. Lines given out alias the block's memory,
// so only the part behind them is written; when that is full, the unfinished
// line moves to new memory.
func (r *Reader) fill() error {
	if free := cap(r.block) - len(r.block); free < readBlock/8 {
		block := make([]byte, len(r.block), max(readBlock, 2*len(r.block)))
		copy(block, r.block)
		r.block = block
	}
	for range 100 {
		n, err := r.r.Read(r.block[len(r.block):cap(r.block)])
		r.block = r.block[:len(r.block)+n]
		if errors.Is(err, io.EOF) {
			r.atEOF = true
			return nil
		}
		if n > 0 || err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}
