package main

import (
	"runtime"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/host"
	"github.com/rhost/rhost/yamldoc"
)

// partSize is about how many bytes of a file are read at a time. What has been
// read and not compiled yet takes several times its text.
const partSize = 256 << 10

// document is a rule, or every problem of what should be one.
type document struct {
	rule *cep.Rule
	errs yamldoc.Errors
}

// build reads rule files and compiles what it reads as it goes. The error names
// every problem.
func (l *loading) build(files []host.RuleFile) (*cep.Program, error) {
	b := cep.NewBuilder()
	for _, f := range files {
		l.add(b, f)
	}
	return b.Program()
}

// add reads a file in parts, some at the same time, and compiles them in their
// order while the next are being read. As the rules of a part are compiled, they
// are let go of: of a million rules only a few thousand are in memory at once.
func (l *loading) add(b *cep.Builder, f host.RuleFile) {
	parts := syntax.Source{File: f.Name, Line: 1, Text: f.Text}.Split(len(f.Text)/partSize + 1)
	read := make([]chan []document, len(parts))
	most := b.Problems() + syntax.MaxProblems
	for i, ahead := 0, 0; i < len(parts) && b.Problems() < most; i++ {
		for ; ahead < len(parts) && ahead <= i+runtime.GOMAXPROCS(0); ahead++ {
			done, part := make(chan []document, 1), parts[ahead] // room for the one answer: no reader waits for anybody
			read[ahead] = done
			go func() { done <- l.read(part) }()
		}
		docs := <-read[i]
		read[i] = nil
		for k := range docs {
			if l.compiles(b, &docs[k]); b.Problems() >= most {
				b.Problem(yamldoc.Errorf(docs[k].pos(), "", yamldoc.CodeLimit, "mend these first",
					"%d problems; the documents behind this one were not read", syntax.MaxProblems))
				break
			}
		}
	}
	for _, open := range read {
		if open != nil {
			<-open
		}
	}
}

// compiles adds what was read of a document.
func (l *loading) compiles(b *cep.Builder, d *document) {
	l.rules.Add(1)
	if d.rule != nil {
		b.Add(d.rule)
	}
	for _, e := range d.errs {
		b.Problem(e)
	}
}

func (d *document) pos() yamldoc.Pos {
	if d.rule != nil {
		return d.rule.Pos
	}
	return d.errs[len(d.errs)-1].Pos
}

// read reads the documents of a part, and stops where there are too many wrong.
func (l *loading) read(part syntax.Source) []document {
	var list []document
	wrong := 0
	for rule, err := range part.Rules() {
		d := document{rule: rule}
		if err != nil {
			d.errs = problemsIn(err)
			if wrong++; wrong > syntax.MaxProblems {
				break
			}
		}
		list = append(list, d)
	}
	return list
}
