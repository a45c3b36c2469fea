package predicate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"

	"github.com/rhost/rhost/event"
)

// Tables is the lookup tables that conditions see as table.NAME, at one moment.
// It is immutable: new contents are a new Tables, which the caller hands over
// with the events from then on.
type Tables struct{ byName map[string]*Table }

// NewTables puts tables under the names that conditions know them by. The map is
// copied.
func NewTables(tables map[string]*Table) *Tables {
	t := &Tables{make(map[string]*Table, len(tables))}
	for name, table := range tables {
		if table != nil {
			t.byName[name] = table
		}
	}
	return t
}

// Table gives the table of that name, nil if there is none.
func (t *Tables) Table(name string) *Table {
	if t == nil {
		return nil
	}
	return t.byName[name]
}

// Table is one lookup table: texts as keys, and for each a value, or nothing but
// the keys. It is immutable and safe to share.
type Table struct {
	digest  string // hex
	rows    map[string]int32
	cells   []*cell        // by row, when the values came from JSON
	columns []string       // of a table from CSV, without the first
	column  map[string]int // of columns
	values  []event.Value  // row by row, column by column

	once  sync.Once
	plain map[string]any // made when cel-go first asks for it
}

// cell is a value of a JSON table with what is in it.
type cell struct {
	value  event.Value
	fields map[string]*cell
	items  []*cell
}

// Len is the number of keys.
func (t *Table) Len() int { return len(t.rows) }

// Digest is a hash of the contents, in hex: the version of the table.
func (t *Table) Digest() string { return t.digest }

// Has reports whether the key is in the table.
func (t *Table) Has(key string) bool {
	_, ok := t.rows[key]
	return ok
}

// Value gives the value of a key: Missing if the key is not in the table, true
// in a table that has only keys, and a map of the other columns in one that came
// from CSV.
func (t *Table) Value(key string) event.Value { return t.at(key, nil) }

// at follows steps into the value of a key. It allocates nothing, except for a
// whole row of CSV.
func (t *Table) at(key string, steps []event.Step) event.Value {
	row, ok := t.rows[key]
	switch {
	case !ok:
		return event.Value{}
	case t.columns != nil:
		return t.inRow(int(row), steps)
	case t.cells == nil && len(steps) == 0:
		return event.BoolValue(true)
	case t.cells == nil:
		return event.Value{}
	}
	if c := t.cells[row].seek(steps); c != nil {
		return c.value
	}
	return event.Value{}
}

// seek follows steps; nil where they lead nowhere.
func (c *cell) seek(steps []event.Step) *cell {
	for _, st := range steps {
		if c = c.step(st); c == nil {
			return nil
		}
	}
	return c
}

func (c *cell) step(st event.Step) *cell {
	switch {
	case st.Index < 0:
		return c.fields[st.Key]
	case st.Index < len(c.items):
		return c.items[st.Index]
	}
	return nil
}

func (t *Table) inRow(row int, steps []event.Step) event.Value {
	cells := t.values[row*len(t.columns) : (row+1)*len(t.columns)]
	switch len(steps) {
	case 0:
		m := make(map[string]any, len(cells))
		for i, v := range cells {
			if v.Kind() != event.Missing {
				m[t.columns[i]] = v.Any()
			}
		}
		return event.ValueOf(m)
	case 1:
		if i, ok := t.column[steps[0].Key]; ok && steps[0].Index < 0 {
			return cells[i]
		}
	}
	return event.Value{}
}

// native gives the table as cel-go's interpreter takes it.
func (t *Table) native() map[string]any {
	t.once.Do(func() {
		t.plain = make(map[string]any, len(t.rows))
		for key := range t.rows {
			t.plain[key] = t.Value(key).Any()
		}
	})
	return t.plain
}

// newCell reads a value with all that is in it, down to a number of levels; ok is
// false when there are more.
func newCell(v event.Value, levels int) (c *cell, ok bool) {
	c = &cell{value: v}
	if v.Kind() != event.List && v.Kind() != event.Map {
		return c, true
	}
	if levels == 0 {
		return nil, false
	}
	var items []json.RawMessage
	fields := make(map[string]json.RawMessage)
	into := any(&items)
	if v.Kind() == event.Map {
		into = &fields
	}
	if err := json.Unmarshal(v.Raw(), into); err != nil {
		return nil, false
	}
	for _, raw := range items {
		item, ok := newCell(event.RawValue(raw), levels-1)
		if !ok {
			return nil, false
		}
		c.items = append(c.items, item)
	}
	if len(fields) > 0 {
		c.fields = make(map[string]*cell, len(fields))
	}
	for key, raw := range fields {
		if c.fields[key], ok = newCell(event.RawValue(raw), levels-1); !ok {
			return nil, false
		}
	}
	return c, true
}

func digestOf(format string, src []byte) string {
	h := sha256.New()
	h.Write([]byte(format + "\n"))
	h.Write(src)
	return hex.EncodeToString(h.Sum(nil))
}
