package predicate

import (
	"slices"
	"time"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/rhost/rhost/event"
)

// constants judges the literals that a function would only refuse when it
// runs.
func (r *rewriter) constants(e celast.Expr) {
	c := e.AsCall()
	args := c.Args()
	text := func(i int) (string, int64, bool) {
		if i >= len(args) || args[i].Kind() != celast.LiteralKind {
			return "", 0, false
		}
		s, ok := args[i].AsLiteral().(types.String)
		return string(s), args[i].ID(), ok
	}
	switch name := c.FunctionName(); name {
	case operators.Index:
		if f, ok := args[1].AsLiteral().(types.Double); ok && (f < 0 || !isWhole(float64(f))) {
			r.fail(args[1].ID(), CodeConstant, "lists count from 0; the last event of an element is last(x)", "%s is no place in a list", formatNumber(float64(f)))
		}
	case "matches":
		s, id, ok := text(len(args) - 1)
		if !ok {
			return
		}
		if _, err := compileRegexp(s); err != nil {
			r.fail(id, CodeConstant, "write it in RE2 syntax; in a text every \\ is written \\\\", "%v", err)
		}
	case "cidr":
		if s, id, ok := text(1); ok {
			if _, valid := parsePrefix(s); !valid {
				r.fail(id, CodeConstant, `write it like "10.0.0.0/8" or "2001:db8::/32"`, "%q is not a network", s)
			}
		}
	case "timestamp":
		if s, id, ok := text(0); ok && len(args) == 1 {
			if toTime(event.StringValue(s), event.Value{}).Kind() != event.Time {
				r.fail(id, CodeConstant, `write it in RFC 3339, like "2026-01-31T08:00:00Z"`, "%q is not a time", s)
			}
		}
	case "duration":
		if s, id, ok := text(0); ok && len(args) == 1 {
			if _, err := time.ParseDuration(s); err != nil {
				r.fail(id, CodeConstant, `write it like "90s", "5m" or "1h30m"`, "%q is not a duration", s)
			}
		}
	default:
		if s, id, ok := text(0); ok && slices.Contains(timeParts(), name) {
			// Local would be another zone on another machine.
			if _, err := time.LoadLocation(s); err != nil && !isOffset(s) || s == "Local" {
				r.fail(id, CodeConstant, `write it like "Europe/Berlin" or "+02:00"`, "%q is not a time zone", s)
			}
		}
	}
}

// isOffset reports whether s is a zone that CEL reads as an offset.
func isOffset(s string) bool {
	_, err := time.Parse("-07:00", s)
	if err != nil {
		_, err = time.Parse("07:00", s)
	}
	return err == nil
}
