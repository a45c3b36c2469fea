package syntax

import (
	"iter"
	"strings"

	"github.com/rhost/rhost/yamldoc"
)

// Source is a text of rule documents: a file, or some of its documents.
type Source struct {
	File string // for positions
	Line int    // number of the first line of Text in File, from 1
	Text string
}

// Rules reads the documents one by one, in the order they stand: of each it
// gives the rule, or yamldoc.Errors with every problem. Documents without content
// are left out. Unlike Parse it does not look for two rules of one name. The rules
// keep Text alive, and nothing else of the reading.
func (s Source) Rules() iter.Seq2[*Rule, error] {
	return func(yield func(*Rule, error) bool) {
		for doc := range s.documents() {
			rule, errs := doc.rule()
			switch {
			case len(errs) > 0:
				if !yield(nil, errs.Err()) {
					return
				}
			case rule != nil:
				if !yield(rule, nil) {
					return
				}
			}
		}
	}
}

// Split cuts the documents into at most n parts of about the same length, in
// order, so that several goroutines can read one file.
func (s Source) Split(n int) []Source {
	var parts []Source
	least := len(s.Text)/max(n, 1) + 1
	start, end, line := 0, 0, s.Line // of the part that is being filled
	for doc := range s.documents() {
		end += len(doc.Text)
		if end-start >= least || end == len(s.Text) {
			parts = append(parts, Source{s.File, line, s.Text[start:end]})
			start, line = end, doc.Line+strings.Count(doc.Text, "\n")
		}
	}
	return parts
}

// documents cuts the text before each line of "---".
func (s Source) documents() iter.Seq[Source] {
	return func(yield func(Source) bool) {
		for s.Text != "" {
			end := nextMarker(s.Text)
			if !yield(Source{s.File, s.Line, s.Text[:end]}) {
				return
			}
			s.Line += strings.Count(s.Text[:end], "\n")
			s.Text = s.Text[end:]
		}
	}
}

// nextMarker finds the next line of "---" behind the first line.
func nextMarker(text string) int {
	for at := 0; ; at++ {
		i := strings.Index(text[at:], "\n---")
		if i < 0 {
			return len(text)
		}
		at += i
		rest := text[at+len("\n---"):]
		if rest == "" || strings.IndexByte(" \t\r\n", rest[0]) >= 0 {
			return at + 1
		}
	}
}

// rule reads the one document that s is. Both results may be nil: there was
// nothing in it. A rule that is wrong comes with its name and position.
func (s Source) rule() (*Rule, yamldoc.Errors) {
	doc, errs := s.tree()
	if doc == nil || len(errs) > 0 {
		return nil, errs
	}
	text := s.Text
	for range doc.Pos.Line - s.Line {
		text = text[strings.IndexByte(text, '\n')+1:]
	}
	r := reader{text: text, line: doc.Pos.Line}
	rule := r.rule(doc)
	return rule, r.errs
}

// tree gives the document as YAML, with positions in the file.
func (s Source) tree() (*yamldoc.Node, yamldoc.Errors) {
	docs, err := yamldoc.Parse(s.File, []byte(s.Text))
	var errs yamldoc.Errors
	if err != nil {
		errs = flatten(err)
	}
	for _, e := range errs {
		e.Pos.Line += s.Line - 1
	}
	if len(docs) == 0 {
		return nil, errs
	}
	shift(docs[0], s.Line-1)
	return docs[0], errs
}

// shift moves positions down by some lines.
func shift(n *yamldoc.Node, lines int) {
	n.Pos.Line += lines
	for _, item := range n.Items {
		shift(item, lines)
	}
	for i := range n.Keys {
		n.Keys[i].Pos.Line += lines
		shift(n.Keys[i].Value, lines)
	}
}

// Source gives the document that the rule was read from, from its first key on.
func (r *Rule) Source() Source { return Source{r.Pos.File, r.Pos.Line, r.text} }
