package yamldoc

import "strings"

// plain reads a scalar without quotes up to the end of the line or a comment.
func (q *quick) plain() (*Node, bool) {
	line := q.s[q.i:q.lineEnd(q.i)]
	if !plainStart(line) || line[len(line)-1] == ' ' {
		return nil, false // behind a scalar, blanks at the end of the line shift where the library sees it
	}
	text := line
	for i := range len(line) {
		switch c := line[i]; c {
		case '\t':
			return nil, false
		case ':':
			if i+1 == len(line) || line[i+1] == ' ' {
				return nil, false
			}
		case '#':
			if line[i-1] == ' ' {
				text = strings.TrimRight(line[:i], " ")
			}
		}
		if len(text) < len(line) {
			break
		}
	}
	n := q.bare(text)
	if len(text) < len(line) && n.Kind != Null {
		n.source = strings.TrimSpace(line)
	}
	q.i += len(text)
	return n, text == strings.TrimSpace(text) // there are more blanks in the world
}

// plainStart reports whether a plain scalar can start like s: with nothing that
// has a meaning in YAML.
func plainStart(s string) bool {
	switch c := s[0]; c {
	case '/', '.', '$', '(', '+', '=', '^', '~', '\\', ';', '<':
		return !strings.HasPrefix(s, "<<")
	case '-':
		return len(s) > 1 && (s[1]-'0' <= 9 || keyStart(s[1]))
	default:
		return keyStart(c) || c-'0' <= 9
	}
}

// bare makes a scalar that had no quotes and starts at i.
func (q *quick) bare(text string) *Node {
	q.tokens++
	n := q.node(resolve(text), q.at(q.i))
	if n.Kind != Null {
		n.Text = text
	}
	return n
}

// quoted reads a scalar in quotes that ends on its line.
func (q *quick) quoted() (*Node, bool) {
	n := q.node(String, q.at(q.i))
	n.Style = Quoted
	q.tokens++
	text, end, ok := q.quotes()
	n.Text, q.i = text, end
	return n, ok
}

// quotes reads the quoted text at i and gives what it says and the index behind
// it.
func (q *quick) quotes() (text string, end int, ok bool) {
	quote, from, odd := q.s[q.i], q.i+1, false
	for i := from; i < len(q.s) && q.s[i] != '\n'; i++ {
		switch c := q.s[i]; {
		case c == '\t':
			return "", 0, false
		case c == '\\' && quote == '"', c == '\'' && quote == '\'' && i+1 < len(q.s) && q.s[i+1] == '\'':
			if odd = true; i+1 < len(q.s) && q.s[i+1] != '\n' {
				i++
			}
		case c == quote && !odd:
			return q.s[from:i], i + 1, true
		case c == '\'' && quote == c:
			return strings.ReplaceAll(q.s[from:i], "''", "'"), i + 1, true
		case c == quote:
			text, ok = unescape(q.s[from:i])
			return text, i + 1, ok
		}
	}
	return "", 0, false
}

// unescape reads the escapes that are in common use.
func unescape(s string) (string, bool) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			b.WriteString(s)
			return b.String(), true
		}
		b.WriteString(s[:i])
		switch c := s[i+1]; c {
		case '"', '\\':
			b.WriteByte(c)
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		default:
			return "", false
		}
		s = s[i+2:]
	}
}

// flow reads a list or map in brackets that ends on its line.
func (q *quick) flow(depth int) (*Node, bool) {
	if depth >= MaxDepth {
		return nil, false
	}
	kind, closing := List, byte(']')
	if q.s[q.i] == '{' {
		kind, closing = Map, '}'
	}
	n := q.node(kind, q.at(q.i))
	n.Style, n.source = Flow, q.s[q.i:q.lineEnd(q.i)]
	items, keys := len(q.items), len(q.keys)
	q.i++
	q.tokens += 2
	for q.blank(); q.peek() != closing || len(q.items) > items || len(q.keys) > keys; {
		if !q.member(kind, keys, depth) {
			return nil, false
		}
		q.blank()
		if q.peek() != ',' {
			break
		}
		q.i++
		if q.tokens++; q.tokens > MaxTokens {
			return nil, false
		}
		q.blank()
	}
	if q.peek() != closing {
		return nil, false
	}
	q.i++
	if kind == List {
		n.Items = q.takeItems(items)
	} else {
		n.Keys = q.takeKeys(keys)
	}
	return n, true
}

// peek gives the byte at i; a line break where there is none.
func (q *quick) peek() byte {
	if q.i < len(q.s) {
		return q.s[q.i]
	}
	return '\n'
}

func (q *quick) blank() {
	for q.peek() == ' ' {
		q.i++
	}
}

// member reads an item or a key and value in brackets.
func (q *quick) member(kind Kind, base, depth int) bool {
	if kind == List {
		v, ok := q.flowValue(depth)
		q.items = append(q.items, v)
		return ok
	}
	var key string
	pos := q.at(q.i)
	if c := q.peek(); c == '\'' || c == '"' {
		text, end, ok := q.quotes()
		if !ok {
			return false
		}
		key, q.i = text, end
	} else {
		key = q.flowText()
		if key == "" || !keyStart(key[0]) {
			return false
		}
		q.i += len(key)
	}
	if !q.is(q.i, ':') || q.twice(base, key) {
		return false
	}
	q.i++
	q.tokens += 2
	q.blank()
	v, ok := q.flowValue(depth)
	q.keys = append(q.keys, Entry{Key: key, Pos: pos, Value: v})
	return ok
}

func (q *quick) flowValue(depth int) (*Node, bool) {
	switch q.peek() {
	case '[', '{':
		return q.flow(depth + 1)
	case '\'', '"':
		return q.quoted()
	}
	text := q.flowText()
	if text == "" || !plainStart(text) {
		return nil, false
	}
	n := q.bare(text)
	q.i += len(text)
	return n, true
}

// flowText gives the plain text at i in brackets; "" when there is none, or one
// with a character that may mean something.
func (q *quick) flowText() string {
	i := q.i
	for i < len(q.s) && (flowByte(q.s[i]) || q.s[i] == ':' && i+1 < len(q.s) && keyByte(q.s[i+1]) && q.s[i+1] != ' ') {
		i++
	}
	return strings.TrimRight(q.s[q.i:i], " ")
}

func flowByte(c byte) bool {
	switch c {
	case '(', ')', '?', '"', '\'', '*', '+', '=', '<', '>', '@', '\\', ';', '~', '%', '^', '&', '!':
		return true
	}
	return keyByte(c)
}

// literal reads a text behind | or >.
func (q *quick) literal(indent int) (*Node, bool) {
	n := q.node(String, q.at(q.i))
	n.Style = Literal
	q.tokens += 3
	fold, strip := q.s[q.i] == '>', false
	if q.i++; q.peek() == '-' {
		strip = true
		q.i++
	}
	if q.peek() != '\n' || q.i == len(q.s) {
		return nil, false
	}
	q.newline()
	deep, blanks := 0, 0
	var b strings.Builder
	for {
		i := q.i
		for i < len(q.s) && q.s[i] == ' ' {
			i++
		}
		if i == len(q.s) {
			if i > q.i {
				return nil, false
			}
			break
		}
		if q.s[i] == '\n' {
			if i > q.i || deep == 0 || fold {
				return nil, false
			}
			blanks++
			q.newline()
			continue
		}
		if i-q.i <= indent {
			break
		}
		if deep == 0 {
			deep = i - q.i
		}
		stop := q.lineEnd(i)
		switch {
		case i-q.i < deep || fold && i-q.i > deep || stop == len(q.s) || q.s[stop-1] == ' ':
			return nil, false
		case fold && b.Len() > 0:
			b.WriteByte(' ')
		case b.Len() > 0:
			b.WriteByte('\n')
			for ; blanks > 0; blanks-- {
				b.WriteByte('\n')
			}
		}
		b.WriteString(q.s[q.i+deep : stop])
		q.i = stop
		q.newline()
	}
	if deep == 0 {
		return nil, false
	}
	if !strip {
		b.WriteByte('\n')
	}
	n.Text = b.String()
	return n, q.line()
}
