package yamldoc

import (
	"math"
	"strconv"
	"strings"
)

// Kind is the type of a Node.
type Kind uint8

// The kinds of nodes.
const (
	Null Kind = iota
	Bool
	Number
	String
	List
	Map
)

// String gives the kind as it reads in a message: "a text", "a list".
func (k Kind) String() string {
	switch k {
	case Null:
		return "nothing"
	case Bool:
		return "true or false"
	case Number:
		return "a number"
	case String:
		return "a text"
	case List:
		return "a list"
	case Map:
		return "a map"
	}
	return "kind " + strconv.Itoa(int(k))
}

// Style is how a scalar was written.
type Style uint8

// The styles of scalars. Flow says of a list or map that it stood in brackets.
const (
	Plain   Style = iota // without quotes
	Quoted               // in single or double quotes
	Literal              // behind | or >
	Flow                 // [a, b] or {a: b}
)

// Node is a value in a document.
type Node struct {
	Kind  Kind
	Style Style
	Pos   Pos
	Text  string  // Bool, Number: as written; String: what the text says
	Items []*Node // of a List
	Keys  []Entry // of a Map, in the order they were written

	// source is the rest of the line as written, kept where YAML may have
	// damaged a text; see PlainText.
	source string
}

// Entry is a key of a map and its value.
type Entry struct {
	Key   string
	Pos   Pos // of the key
	Value *Node
}

// Get gives the value under key; nil when n is no map or has no such key. A nil
// node has no keys.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for _, e := range n.Keys {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}

// Any gives the plain Go value: nil, bool, float64, string, []any or
// map[string]any. A nil node gives nil.
func (n *Node) Any() any {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case Bool:
		return n.Bool()
	case Number:
		return n.Float()
	case String:
		return n.Text
	case List:
		items := make([]any, len(n.Items))
		for i, it := range n.Items {
			items[i] = it.Any()
		}
		return items
	case Map:
		m := make(map[string]any, len(n.Keys))
		for _, e := range n.Keys {
			m[e.Key] = e.Value.Any()
		}
		return m
	default:
		return nil
	}
}

// Clone gives a copy of the tree that has its memory for itself, in few pieces:
// keeping it keeps nothing else of the document. A nil node gives nil.
func (n *Node) Clone() *Node {
	if n == nil {
		return nil
	}
	var c cloner
	c.count(n)
	c.nodes = make([]Node, 0, c.needNodes)
	c.items = make([]*Node, 0, c.needItems)
	c.keys = make([]Entry, 0, c.needKeys)
	c.text.Grow(c.needText)
	return c.clone(n)
}

// cloner copies a tree into memory whose size it counted before.
type cloner struct {
	needNodes, needItems, needKeys, needText int

	nodes []Node
	items []*Node
	keys  []Entry
	text  strings.Builder
}

func (c *cloner) count(n *Node) {
	c.needNodes++
	c.needText += len(n.Text) + len(n.source)
	c.needItems += len(n.Items)
	c.needKeys += len(n.Keys)
	for _, it := range n.Items {
		c.count(it)
	}
	for _, e := range n.Keys {
		c.needText += len(e.Key)
		c.count(e.Value)
	}
}

func (c *cloner) clone(n *Node) *Node {
	c.nodes = append(c.nodes, *n)
	m := &c.nodes[len(c.nodes)-1]
	m.Text, m.source = c.keep(n.Text), c.keep(n.source)
	if n.Items != nil {
		m.Items = c.items[len(c.items) : len(c.items)+len(n.Items) : len(c.items)+len(n.Items)]
		c.items = c.items[:len(c.items)+len(n.Items)]
		for i, it := range n.Items {
			m.Items[i] = c.clone(it)
		}
	}
	if n.Keys != nil {
		m.Keys = c.keys[len(c.keys) : len(c.keys)+len(n.Keys) : len(c.keys)+len(n.Keys)]
		c.keys = c.keys[:len(c.keys)+len(n.Keys)]
		for i, e := range n.Keys {
			m.Keys[i] = Entry{Key: c.keep(e.Key), Pos: e.Pos, Value: c.clone(e.Value)}
		}
	}
	return m
}

// keep copies a text behind the others. The builder has room for all, so what it
// gave out before stays.
func (c *cloner) keep(s string) string {
	start := c.text.Len()
	c.text.WriteString(s)
	return c.text.String()[start:]
}

// Bool gives a Bool's truth, and false for every other kind.
func (n *Node) Bool() bool { return n.Kind == Bool && n.Text[0]|0x20 == 't' }

// Float gives a Number's value, and 0 for every other kind. Whole numbers
// beyond 2^53 lose digits; read those from Text.
func (n *Node) Float() float64 {
	if n.Kind != Number {
		return 0
	}
	f, _ := parseNumber(n.Text) // resolve made sure that it is one
	return f
}

// PlainText gives the text of a scalar that is meant as free text, such as a
// condition, exactly as its author wrote it. It is an error when YAML took
// something away or made something else of it: a comment behind the text, a
// list, a map, nothing at all; the error says how to quote the text. Numbers and
// booleans give their source text.
func (n *Node) PlainText() (string, error) {
	fix := "quote it"
	if n.source != "" {
		fix += ": " + quote(n.source)
	}
	switch {
	case n.Kind == Null:
		return "", Errorf(n.Pos, "", CodeQuote, "write a text; what starts with # ! & or ~ needs quotes", "there is no text here")
	case n.Kind == List, n.Kind == Map:
		return "", Errorf(n.Pos, "", CodeQuote, fix, "a text was expected, and YAML reads %s here", n.Kind)
	case n.Style == Plain && n.source != "":
		return "", Errorf(n.Pos, "", CodeQuote, fix+", or move the comment to a line of its own", "YAML takes what follows \" #\" for a comment")
	}
	return n.Text, nil
}

// quote writes s as YAML's single-quoted text.
func quote(s string) string {
	return "'" + strings.ReplaceAll(strings.TrimSpace(s), "'", "''") + "'"
}

// resolve says what a plain scalar is, by YAML 1.2's core schema with
// underscores between digits. A decimal with a leading zero is a text: some
// readers would take it for octal.
func resolve(s string) Kind {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return Null
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return Bool
	}
	if _, ok := parseNumber(s); ok {
		return Number
	}
	return String
}

func parseNumber(s string) (float64, bool) {
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" {
		return 0, false
	}
	switch digits {
	case ".inf", ".Inf", ".INF":
		if s[0] == '-' {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	case ".nan", ".NaN", ".NAN":
		return math.NaN(), len(s) == len(digits)
	}
	if c := digits[0]; c != '.' && (c < '0' || c > '9') {
		return 0, false // strconv knows words, which YAML does not
	}
	if strings.HasPrefix(digits, "0x") || strings.HasPrefix(digits, "0o") {
		i, err := strconv.ParseInt(s, 0, 64)
		return float64(i), err == nil
	}
	if len(digits) > 1 && digits[0] == '0' && digits[1] != '.' && digits[1]|0x20 != 'e' {
		return 0, false
	}
	plain, ok := dropUnderscores(s)
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(plain, 64)
	return f, err == nil
}

// dropUnderscores removes underscores that stand between digits.
func dropUnderscores(s string) (string, bool) {
	if !strings.Contains(s, "_") {
		return s, !strings.ContainsAny(s, "xXpP")
	}
	digit := func(i int) bool { return i >= 0 && i < len(s) && s[i] >= '0' && s[i] <= '9' }
	for i := range len(s) {
		if s[i] == '_' && (!digit(i-1) || !digit(i+1)) {
			return "", false
		}
	}
	return strings.ReplaceAll(s, "_", ""), !strings.ContainsAny(s, "xXpP")
}
