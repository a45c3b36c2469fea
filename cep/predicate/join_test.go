package predicate

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

func TestJoins(t *testing.T) {
	scope := Scope{Elements: []Element{{Name: "a"}, {Name: "l", Repeated: true}, {Name: "x"}}, Under: 2}
	path := func(parts ...string) event.Path { return event.PathOf(parts...) }
	for src, want := range map[string][]Join{
		`data.u == a.data.v`: {{Elem: 0, Part: PartFirst, Path: path("data", "u"), ElemPath: path("data", "v")}},
		`type == "x" && last(l).data.v == data.u && data.n`:   {{Elem: 1, Part: PartLast, Path: path("data", "u"), ElemPath: path("data", "v")}},
		`data.u == first(l).data.u && l[0].data.u == data.u`:  {{Elem: 1, Part: PartFirst, Path: path("data", "u"), ElemPath: path("data", "u")}},
		`id == a.id && (source == a.source && l[0].id == id)`: {{Path: path("id"), ElemPath: path("id")}, {Path: path("source"), ElemPath: path("source")}, {Elem: 1, Path: path("id"), ElemPath: path("id")}},
		`data.u == l[1].data.u`:                               nil,
		`data.u != a.data.u`:                                  nil,
		`!(data.u == a.data.u)`:                               nil,
		`data.u == a.data.u || data.v == a.data.v`:            nil,
		`data.u == data.v`:                                    nil,
		`a.data.u == last(l).data.u`:                          nil,
		`lower(data.u) == a.data.u`:                           nil,
	} {
		set := NewSet()
		cond, err := set.Add(scope, src, yamldoc.Pos{})
		require.NoError(t, err, src)
		got := cond.Joins()
		for i, j := range got {
			assert.Equal(t, set.Paths()[j.Field], j.Path)
			assert.Equal(t, set.Paths()[j.ElemField], j.ElemPath)
			got[i].Field, got[i].ElemField = 0, 0
		}
		assert.Equal(t, want, got, src)
	}
}

// Two values have the same key exactly when == holds between them.
func TestAppendKey(t *testing.T) {
	values := []event.Value{
		{},
		event.NullValue(), event.BoolValue(true), event.BoolValue(false), event.NumberValue(0), event.NumberValue(math.Copysign(0, -1)),
		event.NumberValue(1), event.NumberValue(math.NaN()), event.NumberValue(math.Inf(1)), event.StringValue(""), event.StringValue("1"), event.StringValue("true"),
		event.StringValue("n"), event.TimeValue(time.Unix(1, 5)), event.TimeValue(time.Unix(1, 6)), event.TimeValue(time.Unix(-62135596800, 0)), event.TimeValue(time.Time{}),
	}
	for _, v := range values {
		x, ok := AppendKey([]byte("p"), v)
		require.True(t, ok)
		for _, w := range values {
			y, _ := AppendKey([]byte("p"), w)
			same := string(x) == string(y) && len(x) > 1
			assert.Equal(t, OpEq.relate(v, w) == True, same, "%v %v", v.Any(), w.Any())
		}
	}
	for _, raw := range []string{`[1]`, `{"a":1}`} {
		_, ok := AppendKey(nil, event.RawValue([]byte(raw)))
		assert.False(t, ok)
	}
}

func TestJoinReadsBothSides(t *testing.T) {
	set := NewSet()
	cond, err := set.Add(Scope{Elements: []Element{{Name: "a"}, {Name: "x"}}, Under: 1}, `data.u == a.data.v`, yamldoc.Pos{})
	require.NoError(t, err)
	j := cond.Joins()[0]
	ev := &Event{Ev: &event.Event{Data: []byte(`{"u":1,"v":2}`)}}
	for _, ev.Fields = range [][]event.Value{nil, event.NewPathSet(set.Paths()).Scan(ev.Ev, nil)} {
		assert.Equal(t, 1.0, j.Value(ev).Number())
		assert.Equal(t, 2.0, j.ElemValue(ev).Number())
	}
}
