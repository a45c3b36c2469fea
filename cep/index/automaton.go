package index

import "slices"

// automaton finds all of many texts in a value in one pass over its bytes (Aho
// and Corasick, "Efficient string matching", 1975). States are numbered breadth
// first, so the children of one stand together: a state needs one byte of label,
// where its children begin, where to go on when none fits, and what it reports.
// The states next to the root, where most values spend their time, also have a
// row with the next state for each class of bytes.
type automaton struct {
	field   uint32
	variant int

	label []byte   // by state: the byte that leads to it; 0 for the root
	first []uint32 // by state: its first child; one more at the end
	fail  []uint32 // by state: the longest proper ending of its text that is a state
	out   []uint32 // by state: what is reported there, number+1; 0 for nothing

	posts []uint32 // by output: what is filed under the text
	next  []uint32 // by output: the next shorter text that ends there, number+1

	classes []byte   // by byte
	width   int      // classes
	rows    []uint32 // by state and class, for as many states as it reaches
}

// maxPiece bounds how much of a text becomes states. What is longer is known by
// its end, and tested where that is found.
const maxPiece = 16

func pieceFor(s string) string { return s[max(0, len(s)-maxPiece):] }

// word is a text for an automaton.
type word struct {
	field   uint32
	variant int
	text    string
	entry   uint32
}

// autoMaker builds one automaton.
type autoMaker struct {
	a     automaton
	words []autoWord // sorted and distinct
	spans []wordSpan // by state: its words
}

type autoWord struct {
	text string
	post uint32
}

// wordSpan is the words below a state.
type wordSpan struct{ from, to uint32 }

// makeAutomaton builds the automaton of the words, sorted by text, of one field
// and variant.
func (s *Segment) makeAutomaton(list []word) automaton {
	m := autoMaker{a: automaton{field: list[0].field, variant: list[0].variant}}
	for from := 0; from < len(list); {
		to := from + 1
		for to < len(list) && list[to].text == list[from].text {
			to++
		}
		entries := make([]uint32, 0, 4)
		for _, w := range list[from:to] {
			entries = append(entries, w.entry)
		}
		m.words = append(m.words, autoWord{list[from].text, s.posting(entries)})
		from = to
	}
	m.states()
	m.links()
	m.a.makeRows()
	return m.a
}

// states lays out the tree of the words, level by level.
func (m *autoMaker) states() {
	a := &m.a
	a.label, a.out = []byte{0}, []uint32{0}
	m.spans = []wordSpan{{0, uint32(len(m.words))}}
	depth, level := 0, 1 // level: where the next level begins
	for state := 0; state < len(a.label); state++ {
		if state == level {
			depth, level = depth+1, len(a.label)
		}
		a.first = append(a.first, uint32(len(a.label)))
		from, to := m.spans[state].from, m.spans[state].to
		if len(m.words[from].text) == depth {
			a.posts = append(a.posts, m.words[from].post)
			a.out[state] = uint32(len(a.posts))
			from++
		}
		for from < to {
			c := m.words[from].text[depth]
			end := from + 1
			for end < to && m.words[end].text[depth] == c {
				end++
			}
			a.label, a.out = append(a.label, c), append(a.out, 0)
			m.spans = append(m.spans, wordSpan{from, end})
			from = end
		}
	}
	a.first = append(a.first, uint32(len(a.label)))
	m.spans = nil
	a.label, a.first, a.posts = exact(a.label), exact(a.first), exact(a.posts)
}

// links finds for each state where to go on, and what else ends there. Both are
// known for all states of lesser depth, which come before.
func (m *autoMaker) links() {
	a := &m.a
	a.out = exact(a.out)
	a.fail, a.next = make([]uint32, len(a.label)), make([]uint32, len(a.posts))
	for state := range a.label {
		for kid := a.first[state]; kid < a.first[state+1]; kid++ {
			if state != 0 {
				a.fail[kid] = a.step(a.fail[state], a.label[kid])
			}
			if o := a.out[a.fail[kid]]; a.out[kid] == 0 {
				a.out[kid] = o
			} else {
				a.next[a.out[kid]-1] = o
			}
		}
	}
}

// step goes on with byte c, without rows.
func (a *automaton) step(state uint32, c byte) uint32 {
	for {
		if kid, ok := a.child(state, c); ok {
			return kid
		}
		if state == 0 {
			return 0
		}
		state = a.fail[state]
	}
}

// child finds the child of a state for byte c.
func (a *automaton) child(state uint32, c byte) (uint32, bool) {
	lo, hi := a.first[state], a.first[state+1]
	if hi-lo <= 8 {
		for ; lo < hi; lo++ {
			if a.label[lo] == c {
				return lo, true
			}
		}
		return 0, false
	}
	i, ok := slices.BinarySearch(a.label[lo:hi], c)
	return lo + uint32(i), ok
}

// makeRows writes out the transitions of the root and of the states next to it.
func (a *automaton) makeRows() {
	a.classes = make([]byte, 256)
	var seen [256]bool
	n := 0
	for _, c := range a.label[1:] {
		if !seen[c] {
			seen[c] = true
			n++
		}
	}
	if n < len(seen) {
		a.width = 1 // class 0 is all that occurs in no word
	}
	for c, ok := range seen {
		if ok {
			a.classes[c] = byte(a.width)
			a.width++
		}
	}
	a.rows = make([]uint32, int(a.first[1])*a.width)
	for state := range a.first[1] {
		for c := range 256 {
			a.rows[int(state)*a.width+int(a.classes[c])] = a.step(state, byte(c))
		}
	}
}

// scan visits the postings of the words in v. A text that was found before is
// not visited again, nor are those that end where it does, so the work is the
// length of v and what there is to find.
func (a *automaton) scan(v string, seen []uint32, m *matching) {
	var state uint32
	near := a.first[1]
	for i := range len(v) {
		c := v[i]
		for {
			if state < near {
				state = a.rows[int(state)*a.width+int(a.classes[c])]
				break
			}
			if kid, ok := a.child(state, c); ok {
				state = kid
				break
			}
			state = a.fail[state]
		}
		for o := a.out[state]; o != 0 && seen[o-1] != m.epoch; o = a.next[o-1] {
			seen[o-1] = m.epoch
			m.post(a.posts[o-1])
		}
	}
}

func (a *automaton) bytes() int {
	return len(a.label) + len(a.classes) + 4*(len(a.first)+len(a.fail)+len(a.out)+len(a.posts)+len(a.next)+len(a.rows))
}
