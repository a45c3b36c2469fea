package cep

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"unsafe"

	"github.com/rhost/rhost/cep/engine"
	"github.com/rhost/rhost/cep/index"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/cep/syntax"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// The form of a cached program, version 1; numbers are uvarints, texts have their
// length before them:
//
//	magic, checksum of the rest (CRC-32C, big-endian), key
//	files: how many, and the name of each
//	rules: how many, and for each, in order: name, version (32 bytes), file,
//	       line, length of its text, conditions, whether it is bare
//	texts of all rules, one after the other, with their length before them
//	the segment of the index
const cacheMagic = "rhost-rules\x01"

// ErrCache is the error of bytes that are no cached program, or one of another
// key.
var ErrCache = errors.New("no compiled rules of this kind")

// AppendCache appends the program in a form that LoadProgram reads in a fraction
// of the time that compiling takes. The key says what it was made from and by: the
// release and the content of the files, say. A program that was edited has no
// such form; ok is then false.
//
// It holds the secret of the index's hashes, so it belongs where only rhost can
// read it.
func (p *Program) AppendCache(dst []byte, key string) (out []byte, ok bool) {
	segments := p.index.Segments()
	if len(segments) > 1 || p.index.Len() != int(p.index.Next()) {
		return dst, false
	}
	if !p.inOrder() {
		return dst, false
	}
	dst = slices.Grow(dst, p.cacheSize(key))
	at := len(dst) + len(cacheMagic)
	var w idText = append(append(dst, cacheMagic...), 0, 0, 0, 0)
	w.text(key)
	files, number := []string(nil), make(map[string]int)
	p.eachEntry(func(e *entry) {
		f := e.source().File
		if _, there := number[f]; !there {
			number[f] = len(files)
			files = append(files, f)
		}
	})
	w.number(uint64(len(files)))
	for _, f := range files {
		w.text(f)
	}
	w.number(uint64(p.Len()))
	size := 0
	p.eachEntry(func(e *entry) {
		src := e.source()
		w.text(e.name())
		version, err := hex.DecodeString(e.version())
		ok = err == nil && len(version) == 32
		w = append(w, version...)
		w.number(uint64(number[src.File]))
		w.number(uint64(src.Line))
		w.number(uint64(len(src.Text)))
		w.number(uint64(e.conds))
		w.number(uint64(boolean(e.bare())))
		size += len(src.Text)
	})
	w.number(uint64(size))
	p.eachEntry(func(e *entry) { w = append(w, e.source().Text...) })
	for _, s := range segments {
		w = s.AppendBinary(w)
	}
	binary.BigEndian.PutUint32(w[at:], crc32.Checksum(w[at+4:], crc32.MakeTable(crc32.Castagnoli)))
	return w, true
}

// cacheSize is about what AppendCache appends, and hardly less: to double hundreds
// of megabytes as they are written would take twice that.
func (p *Program) cacheSize(key string) int {
	const numbers = 48 // of a rule, its version included
	n := 4096 + len(key)
	p.eachEntry(func(e *entry) { n += numbers + len(e.name()) + len(e.source().Text) })
	for _, s := range p.index.Segments() {
		n += s.Stats().Bytes()
	}
	return n + n/64
}

// inOrder reports whether conditions are numbered in the order of the rules, as a
// cache has them.
func (p *Program) inOrder() bool {
	var next index.ID
	ok := true
	p.eachEntry(func(e *entry) {
		ok = ok && (e.conds == 0 || e.first == next)
		next += e.conds
	})
	return ok
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p *Program) eachEntry(visit func(*entry)) {
	for i := range p.places.len() {
		if e := p.places.at(i); !e.empty() {
			visit(e)
		}
	}
}

// source gives the text of a rule without reading it.
func (e *entry) source() syntax.Source {
	if e.page != nil {
		return e.page.source
	}
	return e.rule.Source()
}

// bare reports whether the rule is a bare condition and takes part.
func (e *entry) bare() bool { return e.plan == nil && e.conds > 0 }

// LoadProgram reads what AppendCache wrote with the same key. It keeps b, which
// must not change while the program is in use. Rules of one bare condition are
// read only when somebody asks for them; all others are compiled again. The error
// is an ErrCache for bytes that are not what is wanted, and the caller compiles
// the rules instead.
func LoadProgram(b []byte, key string) (*Program, error) {
	n := len(cacheMagic)
	if len(b) < n+4 || string(b[:n]) != cacheMagic ||
		binary.BigEndian.Uint32(b[n:]) != crc32.Checksum(b[n+4:], crc32.MakeTable(crc32.Castagnoli)) {
		return nil, fmt.Errorf("%w: the file is of another version, or damaged", ErrCache)
	}
	r := cacheReader{b: b[n+4:]}
	if have := r.text(); have != key {
		return nil, fmt.Errorf("%w: they were made from other files, or by another release", ErrCache)
	}
	c := newCompiler(predicate.NewFields())
	p := &Program{fields: c.fields}
	r.rules(p)
	if r.bad {
		return nil, fmt.Errorf("%w: the file is damaged", ErrCache)
	}
	if err := r.segment(p, c); err != nil {
		return nil, err
	}
	for i := range p.places.len() {
		if err := r.compile(p, c, i); err != nil {
			return nil, err
		}
	}
	p.settle(c)
	p.paths = event.NewPathSet(c.fields.Paths())
	return p, nil
}

// cacheReader reads a cached program.
type cacheReader struct {
	b   []byte
	bad bool
	all []bool // by place: the rule is bare
}

func (r *cacheReader) number(limit int) int {
	n, used := binary.Uvarint(r.b)
	if used <= 0 || n > uint64(limit) {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[used:]
	return int(n)
}

// take gives the next n bytes, as a text that shares them.
func (r *cacheReader) take(n int) string {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return ""
	}
	part := r.b[:n]
	r.b = r.b[n:]
	return unsafe.String(unsafe.SliceData(part), len(part))
}

func (r *cacheReader) text() string { return r.take(r.number(len(r.b))) }

// rules reads the rules' names and where their texts are.
func (r *cacheReader) rules(p *Program) {
	var files []string
	for range r.number(len(r.b)) {
		files = append(files, r.text())
	}
	const least = 38 // bytes that a rule takes
	n := r.number(len(r.b) / least)
	pages := make([]page, n)
	p.names = names{base: make(map[string]int32, n), n: n}
	lengths := make([]int, n)
	var first index.ID
	for i := 0; i < n && !r.bad; i++ {
		pg := &pages[i]
		pg.name = r.text()
		copy(pg.version[:], r.take(32))
		if len(files) == 0 {
			r.bad = true
			return
		}
		file := r.number(len(files) - 1)
		pg.source.Line = r.number(1 << 40)
		lengths[i] = r.number(len(r.b))
		e := entry{page: pg, first: first, conds: uint32(r.number(engine.MaxConds))}
		r.all = append(r.all, r.number(1) == 1)
		if r.bad {
			return
		}
		pg.source.File = files[file]
		for k := range e.conds {
			p.uses.add(use{place: int32(i), cond: uint8(k), exact: true})
		}
		first += e.conds
		p.names.base[pg.name] = int32(i)
		p.places.add(e)
	}
	texts := r.take(r.number(len(r.b)))
	for i := range pages {
		if lengths[i] > len(texts) {
			r.bad = true
			return
		}
		pages[i].source.Text, texts = texts[:lengths[i]], texts[lengths[i]:]
	}
	r.bad = r.bad || texts != "" || len(p.names.base) != n
}

// segment reads the index.
func (r *cacheReader) segment(p *Program, c *compiler) error {
	p.index = index.NewIndex()
	if p.uses.len() == 0 && len(r.b) == 0 {
		return nil
	}
	seg, err := index.Load(r.b, c.fields.Intern, func(text string) (*predicate.Leaf, error) {
		f, _, _, err := c.set.AddFormula(bareScope, text, yamldoc.Pos{})
		if err == nil && f.Kind != predicate.FormulaLeaf {
			err = fmt.Errorf("%s is no part of a condition by itself", text)
		}
		return f.Leaf, err
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCache, err)
	}
	if seg.Len() != p.uses.len() {
		return fmt.Errorf("%w: the file is damaged", ErrCache)
	}
	p.index = index.NewIndex(seg)
	return nil
}

// compile compiles the rule at a place again, unless it is bare.
func (r *cacheReader) compile(p *Program, c *compiler, place int) error {
	e := p.places.at(place)
	if r.all[place] {
		return nil
	}
	rule := e.get()
	before := len(c.errs)
	again, formulas := c.entry(rule)
	if len(c.errs) > before || len(formulas) != int(e.conds) {
		return fmt.Errorf("%w: rule %s does not compile as it did", ErrCache, e.name())
	}
	e.plan = again.plan
	for i, f := range formulas {
		p.uses.at(int(e.first) + i).exact = f.exact
	}
	return nil
}
