package trigger

import (
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/rhost/rhost/yamldoc"
)

// fields are the times of a cron expression, each a set of bits.
type fields struct {
	second, minute, hour, day, month, weekday uint64

	// A day must fit both the day of the month and the day of the week when one
	// of them starts with *, and either of them when both name days: cron's rule.
	either bool
	// Every hour is named, so that the schedule goes by how much time passes and
	// not by what the clock on the wall shows.
	everyHour bool
}

// field is what may stand in one place of an expression.
type field struct {
	name     string
	min, max uint
	names    []string // of min and what follows
}

func minuteField() field { return field{name: "minute", max: 59} }
func secondField() field { return field{name: "second", max: 59} }
func hourField() field   { return field{name: "hour", max: 23} }
func dayField() field    { return field{name: "day of the month", min: 1, max: 31} }

func monthField() field {
	return field{name: "month", min: 1, max: 12, names: strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec")}
}

// weekdayField goes to 7, which is Sunday again, so that fri-sun is a range.
func weekdayField() field {
	return field{name: "day of the week", max: 7, names: strings.Fields("sun mon tue wed thu fri sat")}
}

const maxExpression = 512

// parseCron reads five or six fields.
func parseCron(words []string) (fields, error) {
	f := fields{second: 1}
	if len(words) != 5 && len(words) != 6 {
		return f, problem(CodeSchedule, "write minute, hour, day, month and day of the week, such as 0 3 * * mon-fri", "%d fields: it takes five, or six with seconds in front", len(words))
	}
	var err error
	set := func(dst *uint64, word string, of field) {
		if err == nil {
			*dst, err = of.parse(strings.ToLower(word))
		}
	}
	if len(words) == 6 {
		set(&f.second, words[0], secondField())
		words = words[1:]
	}
	set(&f.minute, words[0], minuteField())
	set(&f.hour, words[1], hourField())
	set(&f.day, words[2], dayField())
	set(&f.month, words[3], monthField())
	set(&f.weekday, words[4], weekdayField())
	if err != nil {
		return f, err
	}
	f.weekday = f.weekday&0x7f | f.weekday>>7
	f.either = !starred(words[2]) && !starred(words[4])
	f.everyHour = f.hour == 1<<24-1
	if !f.possible() {
		return f, problem(CodeSchedule, "name a day that the month has", "no year has such a day")
	}
	return f, nil
}

func starred(word string) bool { return strings.HasPrefix(word, "*") || word == "?" }

// possible reports whether some day fits. Days of the week fit some day always.
func (f *fields) possible() bool {
	if f.either {
		return true
	}
	for month := time.January; month <= time.December; month++ {
		if f.month>>month&1 == 1 && f.day&(1<<(daysIn(2024, month)+1)-1) != 0 {
			return true
		}
	}
	return false
}

// parse reads a list of ranges: 5, 1-5, */10, 10-30/5, 5/10, mon-fri,sun.
func (of field) parse(word string) (uint64, error) {
	var set uint64
	for part := range strings.SplitSeq(word, ",") {
		bits, err := of.parseRange(part)
		if err != nil {
			return 0, err
		}
		set |= bits
	}
	return set, nil
}

func (of field) parseRange(part string) (uint64, error) {
	span, stepText, stepped := strings.Cut(part, "/")
	fromText, toText, ranged := strings.Cut(span, "-")
	from, to := of.min, of.max
	var err error
	switch span {
	case "*", "?":
		if of.names != nil && of.max == 7 {
			to = 6 // Sunday is not meant twice
		}
	default:
		if from, err = of.number(fromText); err != nil {
			return 0, err
		}
		if !stepped {
			to = from
		}
		if ranged {
			if to, err = of.number(toText); err != nil {
				return 0, err
			}
			if to == 0 && from > 0 && of.max == 7 {
				to = 7 // fri-sun
			}
		}
	}
	step := uint64(1)
	if stepped {
		if step, err = strconv.ParseUint(stepText, 10, 8); err != nil || step == 0 {
			return 0, problem(CodeSchedule, "write how many to go on each time, such as */10", "%s: %s is no step", of.name, quoted(stepText))
		}
	}
	if from > to {
		return 0, problem(CodeSchedule, "write two ranges, such as 22-23,0-5", "%s: %s ends before it starts", of.name, quoted(span))
	}
	var set uint64
	for n := uint64(from); n <= uint64(to); n += step {
		set |= 1 << n
	}
	return set, nil
}

// number reads a number or a name.
func (of field) number(text string) (uint, error) {
	for i, name := range of.names {
		if text == name {
			return of.min + uint(i), nil
		}
	}
	n, err := strconv.ParseUint(text, 10, 8)
	switch {
	case err != nil && of.names != nil:
		return 0, problem(CodeSchedule, yamldoc.Suggest(text, of.names), "%s: %s is neither a number nor a name", of.name, quoted(text))
	case err != nil:
		return 0, problem(CodeSchedule, "write a number, a range such as 1-5, or *", "%s: %s is no number", of.name, quoted(text))
	case uint(n) < of.min || uint(n) > of.max:
		return 0, problem(CodeSchedule, "", "%s: %d is not from %d to %d", of.name, n, of.min, of.max)
	}
	return uint(n), nil
}

// A wall time is what a clock on the wall shows, as the seconds that have passed
// since it showed 1970-01-01 00:00:00 if it was never set. In one stretch of a
// time zone without transitions it is Unix time plus a constant.

const day = 24 * 60 * 60

// longest is more seconds than lie between two days that fit any expression:
// 29 February on a given day of the week can be forty years away.
const longest = 41 * 366 * day

// next gives the first wall time from from on, and before limit, that fits.
func (f *fields) next(from, limit int64) (int64, bool) {
	limit = min(limit, from+longest)
	for from < limit {
		year, month, d := civil(from)
		if f.month>>month&1 == 0 {
			from = unix(year, month+1, 1)
			continue
		}
		midnight := unix(year, month, d)
		if days := f.days(year, month) >> d; days&1 == 0 {
			if days == 0 {
				from = unix(year, month+1, 1)
			} else {
				from = midnight + int64(bits.TrailingZeros64(days))*day
			}
			continue
		}
		if sec, ok := f.from(from - midnight); ok {
			return midnight + sec, midnight+sec < limit
		}
		from = midnight + day
	}
	return 0, false
}

// last gives the last wall time up to to, and not before limit, that fits.
func (f *fields) last(to, limit int64) (int64, bool) {
	limit = max(limit, to-longest)
	for to >= limit {
		year, month, d := civil(to)
		if f.month>>month&1 == 0 {
			to = unix(year, month, 1) - 1
			continue
		}
		midnight := unix(year, month, d)
		if days := f.days(year, month) & (1<<(d+1) - 1); days>>d == 0 {
			if days == 0 {
				to = unix(year, month, 1) - 1
			} else {
				to = midnight - int64(d-highest(days)-1)*day - 1
			}
			continue
		}
		if sec, ok := f.upTo(to - midnight); ok {
			return midnight + sec, midnight+sec >= limit
		}
		to = midnight - 1
	}
	return 0, false
}

// days are the days of a month that fit, as bits 1 to 31.
func (f *fields) days(year int, month time.Month) uint64 {
	n := daysIn(year, month)
	all := uint64(1)<<(n+1) - 2
	first := int(time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).Weekday())
	var week uint64
	for d := range 7 {
		if f.weekday>>((first+d)%7)&1 == 1 {
			for i := 1 + d; i <= n; i += 7 {
				week |= 1 << i
			}
		}
	}
	if f.either {
		return (f.day | week) & all
	}
	return f.day & week & all
}

// from gives the first second of a day from sec on that fits.
func (f *fields) from(sec int64) (int64, bool) {
	h, m, s := clock(sec)
	if f.hour>>h&1 == 1 {
		if f.minute>>m&1 == 1 && f.second>>s != 0 {
			return int64(h*3600 + m*60 + s + bits.TrailingZeros64(f.second>>s)), true
		}
		if rest := f.minute >> m >> 1; rest != 0 {
			return int64(h*3600 + (m+1+bits.TrailingZeros64(rest))*60 + bits.TrailingZeros64(f.second)), true
		}
	}
	rest := f.hour >> h >> 1
	if rest == 0 {
		return 0, false
	}
	return int64((h+1+bits.TrailingZeros64(rest))*3600 + bits.TrailingZeros64(f.minute)*60 + bits.TrailingZeros64(f.second)), true
}

// upTo gives the last second of a day up to sec that fits.
func (f *fields) upTo(sec int64) (int64, bool) {
	h, m, s := clock(sec)
	if f.hour>>h&1 == 1 {
		if below := f.second & (1<<(s+1) - 1); f.minute>>m&1 == 1 && below != 0 {
			return int64(h*3600 + m*60 + highest(below)), true
		}
		if below := f.minute & (1<<m - 1); below != 0 {
			return int64(h*3600 + highest(below)*60 + highest(f.second)), true
		}
	}
	below := f.hour & (1<<h - 1)
	if below == 0 {
		return 0, false
	}
	return int64(highest(below)*3600 + highest(f.minute)*60 + highest(f.second)), true
}

func highest(set uint64) int { return bits.Len64(set) - 1 }

func clock(sec int64) (h, m, s int) { return int(sec / 3600), int(sec / 60 % 60), int(sec % 60) }

func civil(wall int64) (int, time.Month, int) { return time.Unix(wall, 0).UTC().Date() }

func unix(year int, month time.Month, d int) int64 {
	return time.Date(year, month, d, 0, 0, 0, 0, time.UTC).Unix()
}

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
