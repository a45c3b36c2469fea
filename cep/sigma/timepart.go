package sigma

import (
	"fmt"
	"strconv"
	"strings"
)

// timePart compares a part of the event's time, or of a text that is a date.
func (t *tests) timePart(v value, m modifiers) error {
	low, high := partRange(m.part)
	s := v.raw
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || v.kind == isNull {
		return troublef(v.node, m.part, "write a whole number", "%q is none", s)
	}
	op := m.order
	if op == "" {
		op = "=="
	}
	if t.p.root == "time" {
		t.kids = append(t.kids, test(timeCall(m.part)+" "+op+" "+strconv.Itoa(clampPart(m.part, n))))
		return nil
	}
	if t.p.attribute() {
		return troublef(v.node, m.part, "map the field to a path in data, or to time", "the attribute is no date")
	}
	var alternatives []string
	for i := low; i <= high; i++ {
		if holds(op, i, n) {
			alternatives = append(alternatives, fmt.Sprintf("%0*d", map[bool]int{true: 4, false: 2}[m.part == "year"], i))
		}
	}
	if len(alternatives) == 0 {
		t.kids = append(t.kids, test(t.p.text+" in []", need{t.p, present}))
		return nil
	}
	// Before the part stands what dates begin with: 2025-12-06 21:11:02.632 or
	// 2025-12-06T21:11:02Z.
	before := map[string]string{
		"year": "", "month": `[0-9]{4}-`, "day": `[0-9]{4}-[0-9]{2}-`,
		"hour": `[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]`, "minute": `[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:`,
	}[m.part]
	after := map[string]string{"year": "-", "month": "-", "day": "([T ]|$)", "hour": ":", "minute": "(:|Z|[+-]|$)"}[m.part]
	expr := "^" + before + "(" + strings.Join(alternatives, "|") + ")" + after
	t.kids = append(t.kids, test(t.p.text+".matches("+celText(expr)+")", need{t.p, text}))
	return nil
}

// partRange gives the values that a part of a date can have.
func partRange(part string) (low, high int) {
	switch part {
	case "minute":
		return 0, 59
	case "hour":
		return 0, 23
	case "day":
		return 1, 31
	case "month":
		return 1, 12
	default: // year
		return 1970, 2100
	}
}

func timeCall(part string) string {
	return "time." + map[string]string{
		"minute": "getMinutes", "hour": "getHours", "day": "getDate", "month": "getMonth", "year": "getFullYear",
	}[part] + "()"
}

// clampPart turns a part of a date into what CEL counts: months from 0.
func clampPart(part string, n int) int {
	if part == "month" {
		n--
	}
	return max(min(n, 1_000_000), -1_000_000)
}

func holds(op string, a, b int) bool {
	switch op {
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	case ">=":
		return a >= b
	default:
		return a == b
	}
}
