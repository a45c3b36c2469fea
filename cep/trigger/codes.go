package trigger

import (
	"strconv"
	"strings"

	"github.com/rhost/rhost/yamldoc"
)

// The codes of problems with schedules and states, for `rhost help CODE`.
const (
	CodeSchedule = "schedule-time"     // a schedule that cannot be read, or that never comes
	CodeTimezone = "schedule-timezone" // a time zone that is not known
	CodeChoice   = "schedule-choice"   // a word that is none of those allowed
	CodePath     = "state-path"        // a state that names no field
	CodeTest     = "state-test"        // none or several of above, below, …
	CodeValue    = "state-value"       // a limit, tolerance or time span that cannot be one
)

// Codes explains each code.
func Codes() map[string]string {
	return map[string]string{
		CodeSchedule: "A schedule cannot be read, or no day fits it. It has five fields: minute, hour, day of the month, month, day of the week, such as 0 3 * * mon-fri; a sixth in front is the second. @hourly, @daily, @weekly, @monthly, @yearly and @every 10s work too.",
		CodeTimezone: "A time zone is not known. It is a name of the IANA database, such as Europe/Berlin or UTC; the machine's own zone is not taken, because a rule must mean the same on every machine.",
		CodeChoice:   "A word is none of those allowed here. The message lists them.",
		CodePath:     "`state` names a field of the event, such as data.disk.usage; disk.usage alone means the same.",
		CodeTest:     "A state has exactly one of above, below, between, equals, differs, changes and matches.",
		CodeValue:    "A limit, tolerance, regular expression or time span cannot be one: limits of above, below and between are numbers, tolerance and for are not negative.",
	}
}

func problem(code, fix, format string, args ...any) *yamldoc.Error {
	return yamldoc.Errorf(yamldoc.Pos{}, "", code, fix, format, args...)
}

// quoted shows a word of the input, not more of it than a message bears.
func quoted(s string) string {
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:60], "") + "…"
	}
	return strconv.Quote(s)
}

// choice finds a word among those allowed, which stand in the order of their
// constants.
func choice[T ~uint8](key, text string, names []string) (T, error) {
	for i, name := range names {
		if name == text {
			return T(i), nil
		}
	}
	return 0, problem(CodeChoice, yamldoc.Suggest(text, names), "%s: %s is none of %s", key, quoted(text), strings.Join(names, ", "))
}

func nameOf[T ~uint8](v T, names []string) string {
	if int(v) < len(names) {
		return names[v]
	}
	return strconv.Itoa(int(v))
}
