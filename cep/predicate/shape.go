package predicate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// shape is what a schema lets a path hold.
type shape struct {
	kinds  kinds
	values []event.Value // all there may be; nil when any of the kinds
}

// kinds is a set of event.Kind.
type kinds uint16

const anyKind = ^kinds(0)

func (k kinds) has(kind event.Kind) bool { return k&(1<<kind) != 0 }

// String gives the kinds in the words of the manual.
func (k kinds) String() string {
	var names []string
	for kind := event.Null; kind <= event.Map; kind++ {
		if k.has(kind) && kind != event.Time {
			names = append(names, kindName(kind))
		}
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, " or ")
}

// kindName is what the manual calls a kind.
func kindName(k event.Kind) string {
	switch k {
	case event.String:
		return "text"
	case event.Bool:
		return "truth"
	case event.Time:
		return "timestamp"
	default:
		return k.String()
	}
}

// variant is schemas that hold together of a value. A variant of none lets
// everything pass.
type variant []*jsonschema.Schema

// Beyond these bounds nothing is taken to be known of a place.
const (
	maxVariants   = 64     // of one place
	maxExpansions = 10_000 // schemas looked at for one path
	maxRefs       = 32     // references one behind the other
	maxPairs      = 1 << 20
)

// badPath says why a path leads to nothing that the schema knows.
type badPath struct{ msg, fix string }

// at gives the shape of a path into the payload.
func (s *Schema) at(p event.Path) (shape, *badPath) {
	x := &expander{left: maxExpansions}
	here := x.expand(s.root, 0)
	at := "data"
	for _, st := range p.Steps() {
		var next []variant
		var bad *badPath
		for _, v := range here {
			to, problem := v.step(x, st, at)
			if problem != nil {
				bad = problem
				continue
			}
			next = append(next, to...)
		}
		if next == nil {
			return shape{}, bad
		}
		if len(next) > maxVariants {
			return shape{kinds: anyKind}, nil
		}
		here = next
		if st.Index >= 0 {
			at += fmt.Sprintf("[%d]", st.Index)
		} else {
			at = event.PathOf(at, st.Key).String()
		}
	}
	return shapeOf(here), nil
}

// expander multiplies schemas out, as long as there are not too many.
type expander struct{ left int }

// expand gives the variants of a schema: references followed, allOf joined,
// anyOf and its like multiplied out.
func (x *expander) expand(s *jsonschema.Schema, refs int) []variant {
	out := []variant{{s}}
	if x.left--; x.left < 0 || refs > maxRefs || s.DynamicRef != nil || s.RecursiveRef != nil {
		return []variant{{}}
	}
	all := slices.Clone(s.AllOf)
	if s.Ref != nil {
		all = append(all, s.Ref)
	}
	for _, sub := range all {
		out = product(out, x.expand(sub, refs+1))
	}
	maybe := make([]*jsonschema.Schema, 0, 2+len(s.DependentSchemas))
	for _, sub := range []*jsonschema.Schema{s.Then, s.Else} {
		if sub != nil {
			maybe = append(maybe, sub)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.DependentSchemas)) {
		maybe = append(maybe, s.DependentSchemas[key])
	}
	if len(maybe) > 0 {
		either := []variant{nil} // or none of them
		for _, sub := range maybe {
			either = append(either, x.expand(sub, refs+1)...)
		}
		out = product(out, either)
	}
	for _, list := range [][]*jsonschema.Schema{s.AnyOf, s.OneOf} {
		if len(list) == 0 {
			continue
		}
		var either []variant
		for _, sub := range list {
			if either = append(either, x.expand(sub, refs+1)...); len(either) > maxVariants {
				return []variant{{}}
			}
		}
		out = product(out, either)
	}
	return out
}

// product joins every variant of a with every one of b.
func product(a, b []variant) []variant {
	if len(a)*len(b) > maxVariants {
		return []variant{{}}
	}
	out := make([]variant, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			out = append(out, slices.Concat(x, y))
		}
	}
	return out
}

// step gives the variants one step below v, which is at a path.
func (v variant) step(x *expander, st event.Step, at string) ([]variant, *badPath) {
	want := event.Map
	if st.Index >= 0 {
		want = event.List
	}
	if k := shapeOf([]variant{v}).kinds; !k.has(want) {
		return nil, &badPath{fmt.Sprintf("%s is a %s, which has no %s", at, k, map[bool]string{true: "items", false: "fields"}[want == event.List]), "leave out what follows " + at}
	}
	if st.Index >= 0 {
		return x.joinAll(v.items(st.Index)), nil
	}
	below, closed := v.fields(st.Key)
	names := v.names()
	switch path := event.PathOf(at, st.Key); {
	case closed:
		return nil, &badPath{fmt.Sprintf("the schema allows no %s (additionalProperties is false)", path), suggest(st.Key, names)}
	case len(below) == 0 && len(names) > 0:
		return nil, &badPath{fmt.Sprintf("the schema declares no %s", path), suggest(st.Key, names)}
	}
	return x.joinAll(below), nil
}

func suggest(key string, names []string) string {
	if len(names) > 200 {
		names = names[:200] // enough for a guess
	}
	if guess := yamldoc.Suggest(key, names); guess != "" {
		return guess
	}
	return "declare it in the schema, or correct the path"
}

// joinAll gives the variants in which all schemas hold.
func (x *expander) joinAll(list []*jsonschema.Schema) []variant {
	out := []variant{nil}
	for _, s := range list {
		out = product(out, x.expand(s, 0))
	}
	return out
}

// fields gives the schemas that apply to a key; closed, that one forbids it.
func (v variant) fields(key string) (below []*jsonschema.Schema, closed bool) {
	unevaluated := false
	for _, s := range v {
		n := len(below)
		if sub := s.Properties[key]; sub != nil {
			below = append(below, sub)
		}
		for re, sub := range s.PatternProperties {
			if re.MatchString(key) {
				below = append(below, sub)
			}
		}
		if len(below) > n {
			continue
		}
		switch more := s.AdditionalProperties.(type) {
		case bool:
			closed = closed || !more
			if more {
				below = append(below, open)
			}
		case *jsonschema.Schema:
			below = append(below, more)
			closed = closed || never(more)
		}
		unevaluated = unevaluated || s.UnevaluatedProperties != nil && never(s.UnevaluatedProperties)
	}
	return below, closed || unevaluated && len(below) == 0
}

// open is the schema `true`.
var open = &jsonschema.Schema{} //nolint:gochecknoglobals // never changed

func never(s *jsonschema.Schema) bool { return s.Bool != nil && !*s.Bool }

// names gives the keys that are declared, sorted.
func (v variant) names() []string {
	var names []string
	for _, s := range v {
		names = slices.AppendSeq(names, maps.Keys(s.Properties))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// items gives the schemas that apply to an item.
func (v variant) items(i int) []*jsonschema.Schema {
	var below []*jsonschema.Schema
	for _, s := range v {
		if i < len(s.PrefixItems) {
			below = append(below, s.PrefixItems[i])
		} else if s.Items2020 != nil {
			below = append(below, s.Items2020)
		}
		switch items := s.Items.(type) {
		case *jsonschema.Schema:
			below = append(below, items)
		case []*jsonschema.Schema:
			if i < len(items) {
				below = append(below, items[i])
			}
		}
	}
	return below
}

// shapeOf joins what each of the variants lets pass.
func shapeOf(variants []variant) shape {
	var out shape
	listed := true
	for _, v := range variants {
		k, values := anyKind, []event.Value(nil)
		for _, s := range v {
			k &= kindsOf(s)
			if list := valuesOf(s); list != nil {
				values = shared(values, list)
			}
		}
		listed = listed && values != nil && len(out.values) < maxPairs
		out.values = append(out.values, slices.DeleteFunc(values, func(x event.Value) bool { return !k.has(x.Kind()) })...)
		out.kinds |= k
	}
	if !listed {
		out.values = nil
		return out
	}
	out.kinds = 0
	for _, x := range out.values {
		out.kinds |= 1 << x.Kind()
	}
	return out
}

func kindsOf(s *jsonschema.Schema) kinds {
	if never(s) {
		return 0
	}
	if s.Types == nil {
		return anyKind
	}
	var k kinds
	for _, name := range s.Types.ToStrings() {
		switch name {
		case "null":
			k |= 1 << event.Null
		case "boolean":
			k |= 1 << event.Bool
		case "number", "integer":
			k |= 1 << event.Number
		case "string":
			k |= 1 << event.String
		case "array":
			k |= 1 << event.List
		case "object":
			k |= 1 << event.Map
		}
	}
	return k
}

// valuesOf gives the values that enum and const leave; nil when neither is there.
func valuesOf(s *jsonschema.Schema) []event.Value {
	var list []event.Value
	if s.Enum != nil {
		list = []event.Value{}
		for _, x := range s.Enum.Values {
			list = append(list, event.ValueOf(x))
		}
	}
	if s.Const != nil {
		list = shared(list, []event.Value{event.ValueOf(*s.Const)})
	}
	return list
}

// shared gives what is in both lists; nil stands for everything.
func shared(a, b []event.Value) []event.Value {
	switch {
	case a == nil:
		return slices.Clone(b)
	case len(a)*len(b) > maxPairs:
		return a
	}
	out := []event.Value{}
	for _, x := range a {
		if slices.ContainsFunc(b, x.Equal) {
			out = append(out, x)
		}
	}
	return out
}
