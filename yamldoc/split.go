package yamldoc

import (
	"bytes"
	"iter"
)

// Document is the text of one document of a file, which is not read yet.
type Document struct{ s section }

// Split gives the documents of a file one after another, also those without
// content. Nothing is read yet and hardly anything is kept: whoever has a huge
// file reads its documents one by one, or several at the same time, and keeps of
// each what is needed (see Node.Clone). The name is only for positions. The
// documents alias src, which must not change while they are in use.
func Split(file string, src []byte) iter.Seq[Document] {
	return func(yield func(Document) bool) {
		rest := bytes.TrimPrefix(src, []byte(mark))
		if bytes.IndexByte(rest, '\r') >= 0 {
			rest = bytes.ReplaceAll(rest, []byte("\r\n"), []byte("\n"))
		}
		for line := 1; len(rest) > 0; {
			var s section
			s, rest = cutDocument(file, line, rest)
			line = s.next
			if !yield(Document{s}) {
				return
			}
		}
	}
}

// Pos gives the place where the document's own text starts, behind its "---".
func (d Document) Pos() Pos { return d.s.pos(1, 1) }

// Text gives the document without its "---". It must not be changed.
func (d Document) Text() []byte { return d.s.text }

// Parse reads the document: nil when there is nothing in it. The error is Errors
// with all its problems. What it gives does not alias the file. Any number of
// goroutines may parse documents of one file.
func (d Document) Parse() (*Node, error) {
	if err := checkText(d.s.file, d.s.first, d.s.raw); err != nil {
		return nil, Errors{err}
	}
	doc, errs := d.parse()
	if len(errs) > 0 {
		return nil, errs.Err()
	}
	return doc, nil
}

// parse is Parse for a text whose bytes were checked. The section is copied, as
// reading it fills in more.
func (d Document) parse() (*Node, Errors) { return d.s.parse() }
