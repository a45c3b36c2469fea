package predicate

import (
	"math"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/rhost/rhost/event"
)

// function is a function of one or two values. Missing in, Missing out: the
// caller asks only about values that are there, and a result of Missing is what
// CEL calls an error.
type function struct {
	name      string
	overloads []signature
	eval      func(a, b event.Value) event.Value
}

type signature struct {
	args   []*cel.Type
	result *cel.Type
}

// functions lists the functions that compiled conditions and the interpreter
// share.
func functions() []function {
	str, num, ts := cel.StringType, cel.DoubleType, cel.TimestampType
	of := func(result *cel.Type, args ...*cel.Type) signature { return signature{args, result} }
	return []function{
		{"lower", []signature{of(str, str)}, lower},
		{"cidr", []signature{of(cel.BoolType, str, str)}, inCIDR},
		{"string", []signature{of(str, str), of(str, num), of(str, cel.BoolType), of(str, ts)}, toString},
		{"double", []signature{of(num, str), of(num, num)}, toNumber},
		{"int", []signature{of(num, str), of(num, num)}, toWhole},
		{"timestamp", []signature{of(ts, str), of(ts, num), of(ts, ts)}, toTime},
		{operators.Modulo, []signature{of(num, num, num)}, modulo},
	}
}

// declare tells CEL of f, and of what only CEL needs: durations are no values
// of events.
func (f function) declare() cel.EnvOption {
	var opts []cel.FunctionOpt
	for i, s := range f.overloads {
		id := strings.Trim(f.name, "_@") + "_" + strconv.Itoa(i)
		bind := cel.UnaryBinding(func(v ref.Val) ref.Val { return f.call(v, types.NullValue) })
		if len(s.args) == 2 {
			bind = cel.BinaryBinding(f.call)
		}
		opts = append(opts, cel.Overload(id, s.args, s.result, bind))
	}
	if f.name == "string" {
		opts = append(opts, cel.Overload("duration_to_string", types1(cel.DurationType), cel.StringType,
			cel.UnaryBinding(func(v ref.Val) ref.Val { return v.ConvertToType(types.StringType) })))
	}
	return cel.Function(f.name, opts...)
}

func (f function) call(a, b ref.Val) ref.Val {
	return valOf(f.eval(valueOf(a), valueOf(b)))
}

// findFunction gives the shared function of that name.
func findFunction(name string) (function, bool) {
	for _, f := range functions() {
		if f.name == name {
			return f, true
		}
	}
	return function{}, false
}

func lower(a, _ event.Value) event.Value {
	if a.Kind() != event.String {
		return event.Value{}
	}
	return event.StringValue(strings.ToLower(a.Str()))
}

func toString(a, _ event.Value) event.Value {
	switch a.Kind() {
	case event.String:
		return a
	case event.Number:
		return event.StringValue(formatNumber(a.Number()))
	case event.Bool:
		return event.StringValue(strconv.FormatBool(a.Bool()))
	case event.Time:
		return event.StringValue(formatTime(a.Time()))
	default:
		return event.Value{}
	}
}

// formatNumber writes whole numbers without a fraction or an exponent as long
// as that says exactly what they are.
func formatNumber(f float64) string {
	if isWhole(f) {
		return strconv.FormatInt(int64(f), 10)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// isWhole reports whether f is an integer that a double holds exactly.
func isWhole(f float64) bool {
	return f == math.Trunc(f) && math.Abs(f) <= 1<<53
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func toNumber(a, _ event.Value) event.Value {
	switch a.Kind() {
	case event.Number:
		return a
	case event.String:
		if f, err := strconv.ParseFloat(a.Str(), 64); err == nil {
			return event.NumberValue(f)
		}
	default:
	}
	return event.Value{}
}

func toWhole(a, b event.Value) event.Value {
	v := toNumber(a, b)
	f := math.Trunc(v.Number())
	if v.Kind() != event.Number || math.IsNaN(f) || math.IsInf(f, 0) {
		return event.Value{}
	}
	return event.NumberValue(f)
}

// toTime reads RFC 3339 and Unix seconds.
func toTime(a, _ event.Value) event.Value {
	switch a.Kind() {
	case event.Time:
		return a
	case event.String:
		// CEL's own reading is stricter than Go's, which lets a comma and
		// single digits pass.
		return valueOf(types.String(a.Str()).ConvertToType(types.TimestampType))
	case event.Number:
		f := a.Number()
		if !(f >= minUnix && f < maxUnix+1) {
			return event.Value{}
		}
		sec, frac := math.Modf(f)
		return event.TimeValue(time.Unix(int64(sec), int64(math.Round(frac*1e9))))
	default:
		return event.Value{}
	}
}

// The seconds of the years 1 to 9999, beyond which CEL has no times.
const (
	minUnix = -62135596800
	maxUnix = 253402300799
)

// modulo is defined where both are whole: a remainder of fractions is more
// likely a mistake than a wish.
func modulo(a, b event.Value) event.Value {
	if a.Kind() != event.Number || b.Kind() != event.Number || !isWhole(a.Number()) || !isWhole(b.Number()) || b.Number() == 0 {
		return event.Value{}
	}
	return event.NumberValue(math.Mod(a.Number(), b.Number()))
}

func inCIDR(a, b event.Value) event.Value {
	if a.Kind() != event.String || b.Kind() != event.String {
		return event.Value{}
	}
	net, ok := parsePrefix(b.Str())
	if !ok {
		return event.Value{}
	}
	ip, ok := parseAddr(a.Str())
	if !ok {
		return event.Value{}
	}
	return event.BoolValue(net.contains(ip))
}

// compileRegexp compiles an expression that checkRegexp lets pass.
func compileRegexp(pattern string) (*regexp.Regexp, error) {
	if err := checkRegexp(pattern); err != nil {
		return nil, err
	}
	return regexp.Compile(pattern)
}

// checkRegexp bounds what cel-go and Go's regexp leave open.
func checkRegexp(pattern string) error {
	if len(pattern) > MaxPattern {
		return errPatternTooLong
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || perCharacter*len(pattern) <= maxProgram && !strings.Contains(pattern, "{") {
		return err
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return err
	}
	if len(prog.Inst) > maxProgram {
		return errPatternTooLarge
	}
	return nil
}

// maxProgram bounds the instructions that an expression compiles to. Matching takes
// time in proportion to them, for every character of a text, and repetitions inside
// repetitions multiply.
const maxProgram = 2000

// perCharacter is more than the instructions that a character of an expression
// compiles to where nothing is repeated by a count.
const perCharacter = 5

// pattern is a regular expression that is known to be sound, and compiled when a
// value is first tried on it: of those that an index finds by texts, most never
// are.
type pattern struct {
	text string
	re   atomic.Pointer[regexp.Regexp]
}

func newPattern(text string) (*pattern, error) {
	if err := checkRegexp(text); err != nil {
		return nil, err
	}
	return &pattern{text: text}, nil
}

func (p *pattern) get() *regexp.Regexp {
	re := p.re.Load()
	if re == nil {
		re = regexp.MustCompile(p.text)
		p.re.Store(re)
	}
	return re
}

// timeParts are CEL's accessors of times, which differ from Go's: months and
// days of the month count from 0, except getDate.
func timeParts() []string {
	return []string{
		"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear",
		"getHours", "getMinutes", "getSeconds", "getMilliseconds",
	}
}

// ofDuration reports whether an accessor also works on durations, where it
// gives the whole duration in its unit.
func ofDuration(part string) bool {
	switch part {
	case "getHours", "getMinutes", "getSeconds", "getMilliseconds":
		return true
	}
	return false
}

func timePart(part string, t time.Time) float64 {
	switch part {
	case "getFullYear":
		return float64(t.Year())
	case "getMonth":
		return float64(t.Month() - 1)
	case "getDate":
		return float64(t.Day())
	case "getDayOfMonth":
		return float64(t.Day() - 1)
	case "getDayOfWeek":
		return float64(t.Weekday())
	case "getDayOfYear":
		return float64(t.YearDay() - 1)
	case "getHours":
		return float64(t.Hour())
	case "getMinutes":
		return float64(t.Minute())
	case "getSeconds":
		return float64(t.Second())
	default: // getMilliseconds
		return float64(t.Nanosecond() / 1e6)
	}
}

func durationPart(part string, d time.Duration) float64 {
	switch part {
	case "getHours":
		return float64(d / time.Hour)
	case "getMinutes":
		return float64(d / time.Minute)
	case "getSeconds":
		return float64(d / time.Second)
	default: // getMilliseconds
		return float64(d.Milliseconds())
	}
}
