package predicate

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

const assetsCSV = "host,owner,level,active,note\nweb-1,ann,3,true,\nweb-2,bob,007,false,\"a, b\"\n"

func testTables(t require.TestingT) *Tables {
	return NewTables(map[string]*Table{
		"badips": parseTable(t, "badips.txt", "# seen\n10.0.0.1\n\n 10.0.0.2 \n10.0.0.1"),
		"assets": parseTable(t, "assets.csv", assetsCSV),
		"limits": parseTable(t, "limits.json", `{"a": 5, "b": {"max": 7, "tags": ["x", {"y": 1}]}, "c": null}`),
		"users":  parseTable(t, "users.JSON", `["ann", "bob", "ann"]`),
		"gone":   nil,
	})
}

func TestTableConditions(t *testing.T) {
	ev := &Event{Ev: &event.Event{Type: "x", Data: []byte(`{"ip":"10.0.0.2","host":"web-1","k":"b","n":5,"user":"ann"}`)}, Tables: testTables(t)}
	set := NewSet()
	for src, want := range map[string]Tri{
		`data.ip in table.badips`:                                True,
		`data.ip in table["badips"]`:                             True,
		`data.host in table.badips`:                              False,
		`data.n in table.badips`:                                 False,
		`data.nope in table.badips`:                              Unknown,
		`data.ip in table.nope`:                                  Unknown,
		`data.ip in table.gone`:                                  Unknown,
		`table.users[data.user]`:                                 True,
		`table.assets[data.host].owner == "ann"`:                 True,
		`table.assets[data.host].level > 2`:                      True,
		`table.assets[data.host]["active"]`:                      True,
		`table.assets[data.host].note == ""`:                     Unknown,
		`has(table.assets[data.host].note)`:                      False,
		`has(table.assets[data.host].owner)`:                     True,
		`has(table.assets[data.ip].owner)`:                       Unknown,
		`table.assets["web-2"].level == "007"`:                   True,
		`table.assets["web-2"].note == "a, b"`:                   True,
		`table.assets[data.ip].owner == "ann"`:                   Unknown,
		`!(table.assets[data.ip].owner == "ann")`:                Unknown,
		`table.assets[data.host].owner == data.user`:             True,
		`table.assets[data.host] == table.assets["x"]`:           Unknown,
		`table.limits[data.k].max > data.n`:                      True,
		`table.limits.a == data.n`:                               True,
		`table.limits[data.k].tags[0] == "x"`:                    True,
		`table.limits[data.k].tags[1].y == 1`:                    True,
		`table.limits[data.k].tags[2] == 1`:                      Unknown,
		`table.limits.c == null`:                                 True,
		`table.limits[data.n] == 1`:                              Unknown,
		`lower(table.assets[data.host].owner) == "ann"`:          True,
		`data.user.startsWith(table.assets.x.owner)`:             Unknown,
		`size(table.badips) == 2`:                                True,
		`table.limits.exists(k, k == data.k)`:                    True,
		`table.assets.exists(k, table.assets[k].owner == "bob")`: True,
	} {
		f, exact, cond, err := set.AddFormula(Scope{}, src, yamldoc.Pos{})
		require.NoError(t, err, src)
		assert.True(t, exact)
		assert.Equal(t, want, cond.Eval(ev, nil), src)
		assert.Equal(t, want == True, f.Holds(ev), src)
		assert.Len(t, cond.Tables(), 1, src)
		assert.Equal(t, Unknown, cond.Eval(&Event{Ev: ev.Ev}, nil), "%s without tables", src)
		again, err := set.Add(Scope{}, cond.String(), yamldoc.Pos{})
		require.NoError(t, err, cond.String())
		assert.Equal(t, want, again.Eval(ev, nil), cond.String())
	}
	cond, err := set.Add(Scope{}, `data.a in table.x && (table.y[data.b] == 1 || data.l.exists(i, i in table.z) || table.x.q)`, yamldoc.Pos{})
	require.NoError(t, err)
	assert.Equal(t, []string{"x", "y", "z"}, cond.Tables())
	f, _ := cond.Formula()
	assert.Equal(t, []string{"x"}, f.Kids[0].Leaf.Tables())
	_, err = set.CompileTemplate(Scope{Under: NoElement}, "${table.x.y}", yamldoc.Pos{})
	assert.ErrorContains(t, err, "not visible here")
}

func TestLookupsDoNotAllocate(t *testing.T) {
	set := NewSet()
	ev := &Event{Ev: &event.Event{Type: "x", Data: []byte(`{"ip":"10.0.0.2","host":"web-1","k":"b"}`)}, Tables: testTables(t)}
	for _, src := range []string{`data.ip in table.badips`, `table.assets[data.host].level > 2`, `table.limits[data.k].tags[1].y == 1`, `has(table.assets[data.host].owner)`} {
		cond, err := set.Add(Scope{}, src, yamldoc.Pos{})
		require.NoError(t, err)
		ev.Fields = event.NewPathSet(set.Paths()).Scan(ev.Ev, nil)
		require.Equal(t, True, cond.Eval(ev, nil))
		assert.Zero(t, testing.AllocsPerRun(100, func() { cond.Eval(ev, nil) }), src)
	}
}

func TestTable(t *testing.T) {
	assets := parseTable(t, "a.csv", assetsCSV)
	assert.Equal(t, 2, assets.Len())
	assert.Equal(t, map[string]any{"owner": "ann", "level": 3.0, "active": true}, assets.Value("web-1").Any())
	assert.Equal(t, event.Missing, assets.Value("host").Kind())
	assert.Equal(t, assets.Digest(), parseTable(t, "b.csv", assetsCSV).Digest())
	assert.NotEqual(t, assets.Digest(), parseTable(t, "b.csv", assetsCSV+"x,,,,\n").Digest())
	assert.NotEqual(t, parseTable(t, "a.txt", "a").Digest(), parseTable(t, "a.csv", "a").Digest())
	keys := parseTable(t, "a.csv", "\ufeffkey\r\na\r\nb\r\na\r\n")
	assert.Equal(t, 2, keys.Len())
	assert.True(t, keys.Value("b").Bool())
	var none *Tables
	assert.Nil(t, none.Table("x"))
}

func TestParseTableErrors(t *testing.T) {
	for _, tt := range []struct{ file, src, want string }{
		{"t.yaml", "a", "t.yaml:1: is of no known kind; name it .json, .csv or .txt"},
		{"t.txt", "a\n\xff", "t.txt:2: is not UTF-8"},
		{"t.txt", "a\n" + strings.Repeat("k", MaxTableKey+1), "t.txt:2: a key is 4097 bytes long"},
		{"t.csv", "", "t.csv:1: has no header"},
		{"t.csv", "a,b\n1,2\n1,3\n", `t.csv:3: the key "1" is there twice; keep one`},
		{"t.csv", "a,b\n1,2,3\n", "t.csv:2: is not CSV: wrong number of fields; give every line"},
		{"t.csv", "a,b\n\"1,2\n", "t.csv:2: is not CSV"},
		{"t.csv", "a,b,b\n", `t.csv:1: column 3 is called "b", which is empty or there twice`},
		{"t.csv", "a,b\n,1\n", "t.csv:2: a key is 0 bytes long"},
		{"t.csv", "a" + strings.Repeat(",b", 300), "t.csv:1: has 300 columns"},
		{"t.json", "", "t.json:1: ends too early"},
		{"t.json", "5", "t.json:1: is neither a map nor a list"},
		{"t.json", "{\n\"a\": 1,\n\"a\": 2}", `t.json:3: the key "a" is there twice`},
		{"t.json", "{\n\"a\": x}", "t.json:2: is not JSON"},
		{"t.json", "{\n\"a\": {\"b\":1,\"b\":2}}", `t.json:2: the value of "a" is not what an event can hold`},
		{"t.json", "{\"a\":" + strings.Repeat("[", 9) + strings.Repeat("]", 9) + "}", "more than 8 levels"},
		{"t.json", "[1]", "t.json:1: a key is not a text"},
		{"t.json", "[\"a\",\n\"\"]", "t.json:2: a key is 0 bytes long"},
		{"t.json", "[]\n[]", "t.json:2: goes on behind its end"},
		{"t.json", `["a"`, "ends too early"},
	} {
		_, err := ParseTable("t", tt.file, []byte(tt.src))
		assert.ErrorContains(t, err, tt.want, tt.src[:min(len(tt.src), 40)])
	}
	_, err := ParseTable("a-b", "a-b.txt", nil)
	assert.ErrorContains(t, err, `"a-b" cannot be the name of a table`)
}

func FuzzParseTable(f *testing.F) {
	f.Add(0, []byte(`{"a": {"k": [1, {"b": null}]}, "b": 2}`))
	f.Add(0, []byte(`["a", "b"]`))
	f.Add(1, []byte(assetsCSV))
	f.Add(2, []byte("# x\na\nb"))
	f.Fuzz(func(t *testing.T, kind int, src []byte) {
		file := "t." + []string{"json", "csv", "txt"}[uint(kind)%3]
		table, err := ParseTable("t", file, src)
		if err != nil {
			assert.Contains(t, err.Error(), file+":")
			return
		}
		ev := &Event{Ev: &event.Event{}, Tables: NewTables(map[string]*Table{"t": table})}
		for key, row := range table.native() {
			require.True(t, table.Has(key))
			n := &lookup{"t", constValue{event.StringValue(key)}, nil}
			require.True(t, event.ValueOf(row).Equal(n.eval(ev, nil)), key)
			for k := range table.columnsOf(key) {
				n.steps = []event.Step{{Key: k, Index: -1}}
				require.NotEqual(t, event.Missing, n.eval(ev, nil).Kind())
			}
		}
	})
}

// columnsOf gives the fields of a row that is a map.
func (t *Table) columnsOf(key string) map[string]any {
	m, _ := t.native()[key].(map[string]any)
	return m
}
