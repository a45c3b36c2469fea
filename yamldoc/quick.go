package yamldoc

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// quick reads the YAML that nearly every document is written in: block maps and
// lists, scalars and brackets of one line, literals, comments. It gives the very
// tree that the YAML library gives, many times faster.
//
// It gives up, and the library decides, on whatever it does not know to the
// letter: every error, and every text that could mean something else. So it
// never has to say what is wrong, and being too careful costs only time.
type quick struct {
	*section
	s      string
	ascii  bool
	i      int // where it reads
	start  int // of the line of i
	row    int // number of that line in the document, from 1
	indent int // of the line that line found; -1: there was none
	seen   int // where at was asked last
	col    int // characters of the line before that

	tokens int // at least as many as the library would count
	nodes  []Node
	items  []*Node // of the lists being read, innermost last
	keys   []Entry // of the maps being read
}

// brackets is how many may open in a document before the library's way counts
// how they nest.
const brackets = 1000

// quick gives the document's tree, which is nil when there is nothing in it, and
// whether it could.
func (s *section) quick() (*Node, bool) {
	text := string(s.text)
	q := quick{section: s, s: text, ascii: isASCII(text), row: 1}
	if strings.IndexByte(text, '\r') >= 0 || strings.Count(text, "[")+strings.Count(text, "{") > brackets {
		return nil, false
	}
	if !q.line() {
		return nil, false
	}
	if q.indent < 0 {
		return nil, true
	}
	sc := scratches.Get().(*scratch) //nolint:errcheck,forcetypeassert // nothing else is put there
	q.items, q.keys = sc.items[:0], sc.keys[:0]
	doc, ok := q.block(0)
	if !ok || cap(q.items) > len(sc.items) || cap(q.keys) > len(sc.keys) {
		*sc = scratch{} // it still has what was being read
	}
	scratches.Put(sc)
	return doc, ok && q.indent < 0 && q.tokens < MaxTokens
}

// scratch is where lists and maps grow until their size is known. What outgrows
// it is left to the garbage collector.
type scratch struct {
	items [32]*Node
	keys  [32]Entry
}

var scratches = sync.Pool{New: func() any { return new(scratch) }} //nolint:gochecknoglobals // documents hold nothing of a scratch while it is in the pool

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// line goes to the next line with something on it, from the start of a line.
func (q *quick) line() bool {
	for {
		i := q.i
		for i < len(q.s) && q.s[i] == ' ' {
			i++
		}
		if i == len(q.s) {
			q.i, q.indent = i, -1
			return true
		}
		switch q.s[i] {
		case '\n':
			q.i = i
		case '#':
			q.tokens++
			q.i = q.lineEnd(i)
		case '\t':
			return false
		default:
			q.indent, q.i = i-q.i, i
			return true
		}
		q.newline()
	}
}

// lineEnd gives the index of the end of the line of i.
func (q *quick) lineEnd(i int) int {
	if n := strings.IndexByte(q.s[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(q.s)
}

// newline goes over the line break at i, if there is one.
func (q *quick) newline() {
	if q.i < len(q.s) {
		q.i++
		q.row++
	}
	q.start = q.i
}

// rest ends a line: nothing but a comment may be left on it. Then it goes to the
// next line with something on it.
func (q *quick) rest() bool {
	i := q.i
	for i < len(q.s) && q.s[i] == ' ' {
		i++
	}
	switch {
	case i == len(q.s) || q.s[i] == '\n':
		q.i = i
	case q.s[i] == '#' && i > q.i:
		q.tokens++
		q.i = q.lineEnd(i)
	default:
		return false
	}
	q.newline()
	return q.line()
}

func (q *quick) at(i int) Pos {
	if q.ascii {
		return q.pos(q.row, i-q.start+1)
	}
	if q.seen < q.start || q.seen > i {
		q.seen, q.col = q.start, 0
	}
	q.col += utf8.RuneCountInString(q.s[q.seen:i])
	q.seen = i
	return q.pos(q.row, q.col+1)
}

// mostNodes is how many nodes are made at a time.
const mostNodes = 32

// node gives a new node. They are made some at a time.
func (q *quick) node(kind Kind, pos Pos) *Node {
	if len(q.nodes) == 0 {
		lines := strings.Count(q.s[q.start:], "\n")
		q.nodes = make([]Node, min(lines+lines/4+2, mostNodes)) // most lines have one
	}
	n := &q.nodes[0]
	q.nodes = q.nodes[1:]
	n.Kind, n.Pos = kind, pos
	return n
}

// takeItems gives the items from base on memory of their own.
func (q *quick) takeItems(base int) []*Node {
	items := append(make([]*Node, 0, len(q.items)-base), q.items[base:]...)
	clear(q.items[base:]) // the scratch keeps no document alive
	q.items = q.items[:base]
	return items
}

// takeKeys is takeItems for a map.
func (q *quick) takeKeys(base int) []Entry {
	keys := append(make([]Entry, 0, len(q.keys)-base), q.keys[base:]...)
	clear(q.keys[base:])
	q.keys = q.keys[:base]
	return keys
}

// is reports whether the byte at i is c and what follows is a blank or the end
// of the line.
func (q *quick) is(i int, c byte) bool {
	return i < len(q.s) && q.s[i] == c && (i+1 == len(q.s) || q.s[i+1] == ' ' || q.s[i+1] == '\n')
}

// block reads the map or list whose first line was found.
func (q *quick) block(depth int) (*Node, bool) {
	switch {
	case depth >= MaxDepth:
		return nil, false
	case q.is(q.i, '-'):
		return q.list(depth)
	}
	return q.mapping(depth)
}

func (q *quick) list(depth int) (*Node, bool) {
	n := q.node(List, q.at(q.i))
	indent, base := q.indent, len(q.items)
	for q.indent == indent && q.is(q.i, '-') {
		q.tokens++
		q.i++
		item, ok := q.item(indent, depth)
		if !ok || q.tokens > MaxTokens {
			return nil, false
		}
		q.items = append(q.items, item)
	}
	if q.indent > indent {
		return nil, false
	}
	n.Items = q.takeItems(base)
	return n, true
}

// item reads what follows the dash of a list at indent.
func (q *quick) item(indent, depth int) (*Node, bool) {
	for q.i < len(q.s) && q.s[q.i] == ' ' {
		q.i++
	}
	if q.peek() == '\n' {
		if !q.rest() || q.indent <= indent {
			return nil, false
		}
		return q.block(depth + 1)
	}
	if q.s[q.i] == '#' || q.is(q.i, '-') {
		return nil, false
	}
	if _, end := q.key(); end > 0 {
		q.indent = q.i - q.start
		return q.block(depth + 1)
	}
	return q.scalar(indent, depth+1)
}

func (q *quick) mapping(depth int) (*Node, bool) {
	n := q.node(Map, q.at(q.i))
	indent, base := q.indent, len(q.keys)
	for {
		key, end := q.key()
		if end == 0 || q.twice(base, key) || q.tokens > MaxTokens {
			return nil, false
		}
		e := Entry{Key: key, Pos: q.at(q.i)}
		q.tokens += 2
		q.i = end
		var ok bool
		if e.Value, ok = q.value(indent, e.Pos, depth); !ok {
			return nil, false
		}
		q.keys = append(q.keys, e)
		if q.indent != indent {
			break
		}
	}
	if q.indent > indent {
		return nil, false
	}
	n.Keys = q.takeKeys(base)
	return n, true
}

// manyKeys is more keys than a map of a document written by hand has; the
// library's way looks for twins in more of them.
const manyKeys = 128

// twice reports whether the map has the key already, or so many others that
// looking would take long.
func (q *quick) twice(base int, key string) bool {
	for _, e := range q.keys[base:] {
		if e.Key == key {
			return true
		}
	}
	return len(q.keys)-base >= manyKeys
}

// key looks for a plain key at i and gives it with the index behind its colon,
// which is 0 when there is none.
func (q *quick) key() (string, int) {
	s, i := q.s, q.i
	if c := s[i]; c == '\'' || c == '"' {
		text, end, ok := q.quotes()
		if !ok || !q.is(end, ':') {
			return "", 0
		}
		return text, end + 1
	}
	if !keyStart(s[i]) {
		return "", 0
	}
	for i < len(s) && keyByte(s[i]) {
		i++
	}
	if !q.is(i, ':') || s[i-1] == ' ' {
		return "", 0
	}
	return s[q.i:i], i + 1
}

func keyStart(c byte) bool {
	return c|0x20-'a' <= 25 || c-'0' <= 9 || c == '_' || c >= utf8.RuneSelf
}

func keyByte(c byte) bool {
	return keyStart(c) || c == '-' || c == '.' || c == '|' || c == '/' || c == '$' || c == ' '
}

// value reads what follows the colon of a key at indent.
func (q *quick) value(indent int, key Pos, depth int) (*Node, bool) {
	for q.i < len(q.s) && q.s[q.i] == ' ' {
		q.i++
	}
	if q.i < len(q.s) && q.s[q.i] != '\n' && q.s[q.i] != '#' {
		return q.scalar(indent, depth+1)
	}
	if q.i < len(q.s) && q.s[q.i] == '#' {
		q.i-- // to the blank before it
	}
	if !q.rest() {
		return nil, false
	}
	if q.indent > indent || q.indent == indent && q.is(q.i, '-') {
		return q.block(depth + 1)
	}
	return q.node(Null, key), true
}

// scalar reads a value that starts on the line of its key or dash, which are at
// indent.
func (q *quick) scalar(indent, depth int) (*Node, bool) {
	var n *Node
	var ok bool
	switch q.s[q.i] {
	case '|', '>':
		return q.literal(indent)
	case '\'', '"':
		n, ok = q.quoted()
	case '[', '{':
		n, ok = q.flow(depth)
	default:
		n, ok = q.plain()
	}
	if !ok || !q.rest() || q.indent > indent {
		return nil, false // what goes on behind it may belong to it
	}
	return n, true
}
