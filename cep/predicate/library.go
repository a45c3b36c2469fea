package predicate

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/rhost/rhost/event"
)

// library declares the functions that CEL lacks or defines on integers. What
// both the compiler and the interpreter need is one Go function (see
// functions), so that they cannot differ.
func library() []cel.EnvOption {
	var (
		a, b  = cel.TypeParamType("A"), cel.TypeParamType("B")
		listA = cel.ListType(a)
		mapAB = cel.MapType(a, b)
		str   = cel.StringType
		num   = cel.DoubleType
		ts    = cel.TimestampType
		dur   = cel.DurationType
	)
	opts := []cel.EnvOption{
		cel.Function(operators.Index,
			cel.Overload("index_list", types2(listA, num), a),
			cel.Overload("index_map", types2(mapAB, a), b),
			cel.SingletonBinaryBinding(func(l, r ref.Val) ref.Val { return types.NewErr("index of %s", l.Type()) })),
		cel.Function("matches",
			cel.Overload("matches_global", types2(str, str), cel.BoolType, cel.BinaryBinding(matchesVal)),
			cel.MemberOverload("matches_member", types2(str, str), cel.BoolType, cel.BinaryBinding(matchesVal))),
		cel.Function("size", sizeOverloads(a, b)...),
		cel.Function("duration",
			cel.Overload("duration_of_string", types1(str), dur, cel.UnaryBinding(durationVal)),
			cel.Overload("duration_of_duration", types1(dur), dur, cel.UnaryBinding(durationVal))),
		cel.Function("first", cel.Overload("first_list", types1(listA), a, cel.UnaryBinding(firstVal))),
		cel.Function("last", cel.Overload("last_list", types1(listA), a, cel.UnaryBinding(lastVal))),
		cel.Function("count", cel.Overload("count_list", types1(listA), num, cel.UnaryBinding(sizeVal))),
	}
	for _, agg := range []aggregate{aggSum, aggAvg, aggMin, aggMax} {
		result := cel.DynType
		if agg == aggSum || agg == aggAvg {
			result = num
		}
		opts = append(opts, cel.Function(agg.String(),
			cel.Overload(agg.String()+"_list", types2(listA, str), result, cel.BinaryBinding(aggregateVal(agg)))))
	}
	// The least and the greatest time, apart from the other fields so that
	// arithmetic with them is typed.
	opts = append(opts,
		cel.Function(timeAggregate(aggMin), cel.Overload("min_time", types2(listA, str), ts, cel.BinaryBinding(aggregateVal(aggMin)))),
		cel.Function(timeAggregate(aggMax), cel.Overload("max_time", types2(listA, str), ts, cel.BinaryBinding(aggregateVal(aggMax)))))
	for _, f := range functions() {
		opts = append(opts, f.declare())
	}
	return append(opts, accessors(ts, dur, num, str)...)
}

func types1(t *cel.Type) []*cel.Type    { return []*cel.Type{t} }
func types2(t, u *cel.Type) []*cel.Type { return []*cel.Type{t, u} }

func sizeOverloads(a, b *cel.Type) []cel.FunctionOpt {
	bind := cel.UnaryBinding(sizeVal)
	var opts []cel.FunctionOpt
	for name, t := range map[string]*cel.Type{"string": cel.StringType, "list": cel.ListType(a), "map": cel.MapType(a, b)} {
		opts = append(opts,
			cel.Overload("size_"+name, types1(t), cel.DoubleType, bind),
			cel.MemberOverload(name+"_size", types1(t), cel.DoubleType, bind))
	}
	return opts
}

// accessors declares the parts of times and durations, which CEL gives as
// integers.
func accessors(ts, dur, num, str *cel.Type) []cel.EnvOption {
	var opts []cel.EnvOption
	for _, acc := range timeParts() {
		call := func(args ...ref.Val) ref.Val {
			r, ok := args[0].(traits.Receiver)
			if !ok {
				return types.MaybeNoSuchOverloadErr(args[0])
			}
			return numberVal(r.Receive(acc, "", args[1:]))
		}
		one := cel.UnaryBinding(func(v ref.Val) ref.Val { return call(v) })
		two := cel.BinaryBinding(func(v, zone ref.Val) ref.Val { return call(v, zone) })
		fn := []cel.FunctionOpt{
			cel.MemberOverload("timestamp_"+acc, types1(ts), num, one),
			cel.MemberOverload("timestamp_"+acc+"_tz", types2(ts, str), num, two),
		}
		if ofDuration(acc) {
			fn = append(fn, cel.MemberOverload("duration_"+acc, types1(dur), num, one))
		}
		opts = append(opts, cel.Function(acc, fn...))
	}
	return opts
}

// numberVal turns CEL's integers into doubles and leaves the rest alone.
func numberVal(v ref.Val) ref.Val {
	if n, ok := v.(types.Int); ok {
		return types.Double(n)
	}
	return v
}

func sizeVal(v ref.Val) ref.Val {
	s, ok := v.(traits.Sizer)
	if !ok {
		return types.MaybeNoSuchOverloadErr(v)
	}
	return numberVal(s.Size())
}

func matchesVal(l, r ref.Val) ref.Val {
	s, ok := l.(types.String)
	pattern, ok2 := r.(types.String)
	if !ok || !ok2 {
		return types.MaybeNoSuchOverloadErr(l)
	}
	re, err := compileRegexp(string(pattern))
	if err != nil {
		return types.WrapErr(err)
	}
	return types.Bool(re.MatchString(string(s)))
}

func durationVal(v ref.Val) ref.Val { return v.ConvertToType(types.DurationType) }

func firstVal(v ref.Val) ref.Val { return itemVal(v, 0) }

func lastVal(v ref.Val) ref.Val {
	n, ok := sizeVal(v).(types.Double)
	if !ok {
		return types.MaybeNoSuchOverloadErr(v)
	}
	return itemVal(v, types.Int(n)-1)
}

func itemVal(v ref.Val, i types.Int) ref.Val {
	l, ok := v.(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(v)
	}
	return l.Get(i)
}

// aggregateVal is an aggregate in the interpreter: of the field at a path in
// each event of a list.
func aggregateVal(agg aggregate) func(l, r ref.Val) ref.Val {
	return func(l, r ref.Val) ref.Val {
		list, ok := l.(traits.Lister)
		path, ok2 := r.(types.String)
		if !ok || !ok2 {
			return types.MaybeNoSuchOverloadErr(l)
		}
		p, err := event.ParsePath(string(path))
		if err != nil {
			return types.WrapErr(err)
		}
		acc := accumulator{agg: agg}
		for it := list.Iterator(); it.HasNext() == types.True; {
			acc.add(seek(it.Next(), p))
		}
		return valOf(acc.result())
	}
}

// seek follows a path through CEL values.
func seek(v ref.Val, p event.Path) event.Value {
	get := func(key ref.Val) bool {
		switch c := v.(type) {
		case traits.Mapper:
			found, ok := c.Find(key)
			v = found
			return ok
		case traits.Lister:
			i, isIndex := key.(types.Int)
			if !isIndex {
				return false
			}
			v = c.Get(i) // an error, which is no value, behind the end
			return true
		}
		return false
	}
	if !get(types.String(p.Root())) {
		return event.Value{}
	}
	for _, st := range p.Steps() {
		key := ref.Val(types.String(st.Key))
		if st.Index >= 0 {
			key = types.Int(st.Index)
		}
		if !get(key) {
			return event.Value{}
		}
	}
	return valueOf(v)
}
