package predicate

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"math"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// The bounds on one lookup table.
const (
	MaxTable        = 64 << 20 // bytes of the file
	MaxTableKeys    = 2 << 20
	MaxTableKey     = 4 << 10 // bytes of a key
	MaxTableColumns = 256     // columns of CSV beside the key
	MaxTableCells   = 8 << 20 // keys times columns of CSV
	MaxTableDepth   = 8       // maps and lists inside a value of JSON
)

// ParseTable reads a lookup table. What it is, the ending of the file tells:
//
//   - .json is a map from key to value, or a list of keys;
//   - .csv has a header; the first column is the key, and the value is a map of
//     the others. A cell is a number or a boolean where it is spelled exactly as
//     conditions would print one, absent where it is empty, and a text otherwise;
//   - .txt has a key on every line; empty lines, and lines that begin with #, do
//     not count.
//
// A key that is there twice is an error, except where nothing hangs on it: in
// lists of keys. Errors are a *yamldoc.Error with the line.
func ParseTable(name, file string, src []byte) (*Table, error) {
	p := tableParser{file: file, src: bytes.TrimPrefix(src, []byte("\ufeff"))}
	ext := strings.ToLower(path.Ext(file))
	p.t = &Table{digest: digestOf(ext, src), rows: make(map[string]int32)}
	switch {
	case !isTableName(name):
		return nil, p.fail(0, "name it with letters, digits and _, not beginning with a digit", "%q cannot be the name of a table", name)
	case len(src) > MaxTable:
		return nil, p.fail(0, "split it into several tables", "is %d bytes long; the limit is %d", len(src), MaxTable)
	case !utf8.Valid(p.src):
		return nil, p.fail(p.badByte(), "save it as UTF-8", "is not UTF-8")
	}
	var err *yamldoc.Error
	switch ext {
	case ".json":
		err = p.json()
	case ".csv":
		err = p.csv()
	case ".txt":
		err = p.lines()
	default:
		err = p.fail(0, "name it .json, .csv or .txt", "is of no known kind")
	}
	if err != nil {
		return nil, err
	}
	return p.t, nil
}

func isTableName(name string) bool {
	for i := range len(name) {
		if !isIdent(name[i]) {
			return false
		}
	}
	return name != "" && name[0]-'0' > 9
}

type tableParser struct {
	file string
	src  []byte
	t    *Table
}

// fail makes an error at an offset of the source.
func (p *tableParser) fail(offset int, fix, format string, args ...any) *yamldoc.Error {
	return p.failAt(1+bytes.Count(p.src[:min(offset, len(p.src))], []byte("\n")), fix, format, args...)
}

func (p *tableParser) failAt(line int, fix, format string, args ...any) *yamldoc.Error {
	return yamldoc.Errorf(yamldoc.Pos{File: p.file, Line: line}, "", CodeTable, fix, format, args...)
}

func (p *tableParser) badByte() int {
	for i := 0; i < len(p.src); {
		r, n := utf8.DecodeRune(p.src[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return 0
}

// add notes a key; fresh is false when it is there already.
func (p *tableParser) add(key string, line int) (fresh bool, err *yamldoc.Error) {
	if _, ok := p.t.rows[key]; ok {
		return false, nil
	}
	if key == "" || len(key) > MaxTableKey {
		return false, p.failAt(line, "", "a key is %d bytes long; it may be from 1 to %d", len(key), MaxTableKey)
	}
	if len(p.t.rows) == MaxTableKeys {
		return false, p.failAt(line, "split it into several tables", "has more than %d keys", MaxTableKeys)
	}
	p.t.rows[key] = int32(len(p.t.rows))
	return true, nil
}

func (p *tableParser) duplicate(key string, line int) *yamldoc.Error {
	return p.failAt(line, "keep one of them", "the key %q is there twice", key)
}

func (p *tableParser) lines() *yamldoc.Error {
	n := 0
	for line := range strings.Lines(string(p.src)) {
		n++
		key := strings.TrimSpace(line)
		if key == "" || key[0] == '#' {
			continue
		}
		if _, err := p.add(key, n); err != nil {
			return err
		}
	}
	return nil
}

func (p *tableParser) csv() *yamldoc.Error {
	r := csv.NewReader(bytes.NewReader(p.src))
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return p.csvError(err)
	}
	if err := p.header(header); err != nil {
		return err
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return p.csvError(err)
		}
		line, _ := r.FieldPos(0)
		key := strings.Clone(record[0]) // or it would keep the whole record
		fresh, bad := p.add(key, line)
		switch {
		case bad != nil:
			return bad
		case !fresh && len(p.t.columns) > 0:
			return p.duplicate(key, line)
		case !fresh:
			continue
		case len(p.t.values)+len(p.t.columns) > MaxTableCells:
			return p.failAt(line, "leave out columns, or split it", "has more than %d cells", MaxTableCells)
		}
		for _, text := range record[1:] {
			p.t.values = append(p.t.values, csvValue(text))
		}
	}
}

func (p *tableParser) csvError(err error) *yamldoc.Error {
	if bad, ok := errors.AsType[*csv.ParseError](err); ok {
		return p.failAt(bad.Line, "give every line the columns of the header, and close quotes", "is not CSV: %v", bad.Err)
	}
	return p.failAt(1, "begin with a line that names the columns", "has no header")
}

func (p *tableParser) header(record []string) *yamldoc.Error {
	if len(record)-1 > MaxTableColumns {
		return p.failAt(1, "leave out columns", "has %d columns beside the key; the limit is %d", len(record)-1, MaxTableColumns)
	}
	for i, name := range record[1:] {
		if p.t.column == nil {
			p.t.column = make(map[string]int)
		}
		name = strings.Clone(strings.TrimSpace(name))
		if _, ok := p.t.column[name]; ok || name == "" {
			return p.failAt(1, "give every column a name of its own", "column %d is called %q, which is empty or there twice", i+2, name)
		}
		p.t.column[name] = i
		p.t.columns = append(p.t.columns, name)
	}
	return nil
}

// csvValue reads a cell. What would not be printed as it is written, such as
// 007, is a text.
func csvValue(text string) event.Value {
	switch text {
	case "":
		return event.Value{}
	case "true", "false":
		return event.BoolValue(text == "true")
	}
	if c := text[len(text)-1]; c-'0' <= 9 {
		f, err := strconv.ParseFloat(text, 64)
		if err == nil && !math.IsInf(f, 0) && formatNumber(f) == text {
			return event.NumberValue(f)
		}
	}
	return event.StringValue(strings.Clone(text))
}

func (p *tableParser) json() *yamldoc.Error {
	dec := json.NewDecoder(bytes.NewReader(p.src))
	first, err := dec.Token()
	if err != nil {
		return p.jsonError(dec, err)
	}
	switch first {
	case json.Delim('{'):
		p.t.cells = []*cell{}
	case json.Delim('['):
	default:
		return p.fail(0, `write {"key": value, …} or ["key", …]`, "is neither a map nor a list")
	}
	for dec.More() {
		if bad := p.entry(dec); bad != nil {
			return bad
		}
	}
	if _, err := dec.Token(); err != nil {
		return p.jsonError(dec, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return p.fail(int(dec.InputOffset()), "keep one map or list", "goes on behind its end")
	}
	return nil
}

// entry reads one key of a list, or one key of a map with its value.
func (p *tableParser) entry(dec *json.Decoder) *yamldoc.Error {
	if p.t.cells == nil {
		var key any
		if err := dec.Decode(&key); err != nil {
			return p.jsonError(dec, err)
		}
		text, ok := key.(string)
		if !ok {
			return p.failHere(dec, "put keys in quotes", "a key is not a text")
		}
		_, err := p.addHere(dec, text)
		return err
	}
	token, err := dec.Token()
	if err != nil {
		return p.jsonError(dec, err)
	}
	key, _ := token.(string) // the decoder lets nothing else pass as a key
	switch fresh, bad := p.addHere(dec, key); {
	case bad != nil:
		return bad
	case !fresh:
		return p.failHere(dec, "keep one of them", "the key %q is there twice", key)
	}
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return p.jsonError(dec, err)
	}
	v := event.RawValue(raw)
	if v.Kind() == event.Missing {
		return p.failHere(dec, "give each key of a map once, and numbers a double can hold", "the value of %q is not what an event can hold", key)
	}
	c, ok := newCell(v, MaxTableDepth)
	if !ok {
		return p.failHere(dec, "flatten it", "the value of %q has more than %d levels", key, MaxTableDepth)
	}
	p.t.cells = append(p.t.cells, c)
	return nil
}

// addHere is add without counting lines, which takes as long as the file is, when
// there is nothing to say.
func (p *tableParser) addHere(dec *json.Decoder, key string) (bool, *yamldoc.Error) {
	fresh, err := p.add(key, 0)
	if err != nil {
		return false, p.failHere(dec, err.Fix, "%s", err.Msg)
	}
	return fresh, nil
}

func (p *tableParser) failHere(dec *json.Decoder, fix, format string, args ...any) *yamldoc.Error {
	return p.fail(int(dec.InputOffset()), fix, format, args...)
}

func (p *tableParser) jsonError(dec *json.Decoder, err error) *yamldoc.Error {
	offset := int(dec.InputOffset())
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = int(syntax.Offset)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return p.fail(len(p.src), "close its brackets", "ends too early")
	}
	return p.fail(offset, "correct the JSON", "is not JSON: %v", err)
}
