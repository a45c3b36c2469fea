package trigger

import (
	"fmt"
	"hash/fnv"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// Test is what a state is tested for.
type Test uint8

// The tests. The first three take numbers, Matches takes texts, the rest anything.
const (
	Above   Test = iota // greater than Limit; over again at Limit − Tolerance or less
	Below               // less than Limit; over again at Limit + Tolerance or more
	Between             // from Low to High; over again further outside than Tolerance
	Equals              // Value, or a number no further from it than Tolerance
	Differs             // anything else
	Changes             // another value than the last, or a number further from it than Tolerance
	Matches             // a text that the regular expression finds something in
)

// String gives the key a rule writes.
func (t Test) String() string { return nameOf(t, testNames()) }

func testNames() []string {
	return []string{"above", "below", "between", "equals", "differs", "changes", "matches"}
}

// ParseTest reads the name of a test.
func ParseTest(text string) (Test, error) {
	t, err := choice[Test]("state", text, testNames())
	if err != nil {
		return 0, problem(CodeTest, yamldoc.Suggest(text, testNames()), "%s is no test of a state", quoted(text))
	}
	return t, nil
}

// ParsePath reads what `state` names: a path into the event, such as
// data.disk.usage or ext.level, or a field of the payload without data, such as
// disk.usage. The error is a *yamldoc.Error without a position.
func ParsePath(text string) (event.Path, error) {
	text = strings.TrimSpace(text)
	root := text
	if i := strings.IndexAny(text, ".["); i >= 0 {
		root = text[:i]
	}
	switch root {
	case "type", "source", "subject", "time", "id", "data", "ext":
	case "":
		return event.Path{}, problem(CodePath, "write a field, such as data.disk.usage", "%s names no field", quoted(text))
	default:
		text = "data." + text
	}
	p, err := event.ParsePath(text)
	if err != nil {
		return p, problem(CodePath, "write a field, such as data.disk.usage", "%v", err)
	}
	return p, nil
}

const (
	// MaxValue bounds the texts, lists and maps, in bytes, that a state can have;
	// longer ones are not taken.
	MaxValue = 1024
	// MaxPattern bounds the regular expression of Matches, in bytes.
	MaxPattern = 1024
)

// Config is a state to watch for, as a rule says it.
type Config struct {
	Test      Test
	Limit     float64       // of Above and Below
	Low, High float64       // of Between, both included
	Value     event.Value   // of Equals and Differs
	Pattern   string        // of Matches
	Tolerance float64       // of all tests of numbers
	For       time.Duration // how long it must last; 0: fire at once
}

// Watch is a Config that was checked. It is immutable and may be shared.
type Watch struct {
	test      Test
	low, high float64 // limits; Above has low, Below has high
	value     event.Value
	pattern   *regexp.Regexp
	tolerance float64
	hold      time.Duration
	print     uint64
}

// Compile checks a Config. The error is yamldoc.Errors with every problem, without
// positions; the Key of each is the key of the rule that it concerns.
func Compile(c Config) (*Watch, error) {
	w := &Watch{test: c.Test, value: own(c.Value), tolerance: c.Tolerance, hold: c.For}
	var errs yamldoc.Errors
	fail := func(key, fix, format string, args ...any) {
		e := problem(CodeValue, fix, format, args...)
		e.Key = "when." + key
		errs = append(errs, e)
	}
	if !finite(c.Tolerance) || c.Tolerance < 0 {
		fail("tolerance", "write a number from 0 on", "%v cannot be a tolerance", c.Tolerance)
	}
	if c.For < 0 {
		fail("for", "write a time span such as 1m", "%v is negative", c.For)
	}
	switch c.Test {
	case Above, Below:
		w.low, w.high = c.Limit, c.Limit
		if !finite(c.Limit) {
			fail(c.Test.String(), "write a number", "%v cannot be a limit", c.Limit)
		}
	case Between:
		w.low, w.high = c.Low, c.High
		if !finite(c.Low) || !finite(c.High) || c.Low > c.High {
			fail("between", "write [least, greatest]", "%v to %v is no range", c.Low, c.High)
		}
	case Equals, Differs:
		if !w.Takes(c.Value) {
			fail(c.Test.String(), "write a value of at most 1024 bytes", "there is nothing to compare with")
		}
	case Changes:
	case Matches:
		w.compilePattern(c.Pattern, fail)
	default:
		fail("state", yamldoc.Suggest(c.Test.String(), testNames()), "%s is no test of a state", c.Test)
	}
	if err := errs.Err(); err != nil {
		return nil, err
	}
	w.print = w.fingerprint()
	return w, nil
}

func (w *Watch) compilePattern(text string, fail func(key, fix, format string, args ...any)) {
	if len(text) > MaxPattern {
		fail("matches", "write a shorter one", "the regular expression is longer than %d bytes", MaxPattern)
		return
	}
	var err error
	if w.pattern, err = regexp.Compile(text); err != nil {
		fail("matches", "write one as RE2 takes them", "%v", err)
	}
}

// fingerprint tells watches apart whose states mean something else.
func (w *Watch) fingerprint() uint64 {
	h := fnv.New64a()
	h.Write([]byte(w.String()))
	return h.Sum64()
}

// String shows the condition as a rule would write it.
func (w *Watch) String() string {
	var b strings.Builder
	b.WriteString(w.test.String())
	switch w.test {
	case Above, Below:
		fmt.Fprintf(&b, ": %v", w.low)
	case Between:
		fmt.Fprintf(&b, ": [%v, %v]", w.low, w.high)
	case Equals, Differs:
		fmt.Fprintf(&b, ": %s", w.value.AppendJSON(nil))
	case Changes:
		b.WriteString(": true")
	case Matches:
		fmt.Fprintf(&b, ": %q", w.pattern)
	}
	if w.tolerance > 0 {
		fmt.Fprintf(&b, ", tolerance: %v", w.tolerance)
	}
	if w.hold > 0 {
		fmt.Fprintf(&b, ", for: %v", w.hold)
	}
	return b.String()
}

// Takes reports whether a value says anything about the state: one that is
// missing or null, too long, or of a kind that the test has nothing to say about
// is as if it had not come.
func (w *Watch) Takes(v event.Value) bool {
	switch v.Kind() {
	case event.Missing, event.Null:
		return false
	case event.Number:
		return w.test != Matches && finite(v.Number())
	case event.String:
		return w.test > Between && len(v.Str()) <= MaxValue
	case event.List, event.Map:
		return w.test > Between && w.test != Matches && len(v.Raw()) <= MaxValue
	default:
		return w.test > Between && w.test != Matches
	}
}

// enters reports whether a value begins an excursion.
func (w *Watch) enters(v event.Value) bool {
	switch w.test {
	case Above:
		return v.Number() > w.low
	case Below:
		return v.Number() < w.high
	case Between:
		return v.Number() >= w.low && v.Number() <= w.high
	case Equals:
		return w.same(v, w.value)
	case Differs:
		return !w.same(v, w.value)
	default:
		return w.pattern.MatchString(v.Str())
	}
}

// leaves reports whether a value ends an excursion.
func (w *Watch) leaves(v event.Value) bool {
	switch w.test {
	case Above:
		return v.Number() <= w.low-w.tolerance
	case Below:
		return v.Number() >= w.high+w.tolerance
	case Between:
		return v.Number() < w.low-w.tolerance || v.Number() > w.high+w.tolerance
	default:
		return !w.enters(v)
	}
}

// same compares values; numbers may differ by the tolerance.
func (w *Watch) same(a, b event.Value) bool {
	if a.Kind() == event.Number && b.Kind() == event.Number {
		return math.Abs(a.Number()-b.Number()) <= w.tolerance
	}
	return a.Equal(b)
}

func finite(f float64) bool { return f-f == 0 }
