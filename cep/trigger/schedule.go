package trigger

import (
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a zone must be known, and mean the same, where the system has no database

	"github.com/rhost/rhost/cep/window"
	"github.com/rhost/rhost/yamldoc"
)

// Missed says what becomes of times that a lane's clock passed in one step, as it
// does after the host was down.
type Missed uint8

// The answers to missed times. Once is the default.
const (
	MissedOnce Missed = iota // the latest counts, for all of them
	MissedAll                // each counts, but for all except the latest MaxDue
	MissedNone               // the latest counts if it is no older than Grace
)

// ParseMissed reads once, all or none.
func ParseMissed(text string) (Missed, error) { return choice[Missed]("missed", text, missedNames()) }

// String gives the word a rule writes.
func (m Missed) String() string { return nameOf(m, missedNames()) }

func missedNames() []string { return []string{"once", "all", "none"} }

// DST says what becomes of times that the clock on the wall skips or shows twice,
// when summer time begins or ends. A schedule that names every hour (0 * * * *) is
// about time that passes and comes once in each hour that there is, whatever DST
// says; so does @every.
type DST uint8

// The answers to clocks that are set. Once is the default.
const (
	DSTOnce    DST = iota // a skipped time comes when the clock is set; of a doubled one the first counts: exactly once a day
	DSTSkip               // a skipped time does not come; of a doubled one the first counts: at most once
	DSTTwice              // a skipped time comes when the clock is set; a doubled one comes twice: at least once
	DSTLiteral            // a time comes as often as the clock shows it: not at all, or twice
)

// ParseDST reads once, skip, twice or literal.
func ParseDST(text string) (DST, error) { return choice[DST]("dst", text, dstNames()) }

// String gives the word a rule writes.
func (d DST) String() string { return nameOf(d, dstNames()) }

func dstNames() []string { return []string{"once", "skip", "twice", "literal"} }

const (
	// MaxDue bounds the times that Due gives at once.
	MaxDue = 1000
	// Grace is how late a time may be noticed and still not count as missed.
	Grace = time.Minute
	// MinEvery is the least span of @every.
	MinEvery = 100 * time.Millisecond
)

// Schedule is a set of points in time. It is immutable and may be shared.
type Schedule struct {
	text   string
	times  fields
	every  time.Duration // 0: times counts
	zone   *time.Location
	missed Missed
	dst    DST
}

// ParseSchedule reads a schedule: five fields of cron (minute, hour, day of the
// month, month, day of the week), six with seconds in front, @hourly, @daily or
// @midnight, @weekly, @monthly, @yearly or @annually, or @every 10s, which counts
// from 1970 so that a restart shifts nothing. The zone is a name of the IANA
// database; nothing is UTC. The error is a *yamldoc.Error without a position.
func ParseSchedule(text, zone string, missed Missed, dst DST) (*Schedule, error) {
	s := &Schedule{text: strings.Join(strings.Fields(text), " "), missed: missed, dst: dst}
	var err error
	if s.zone, err = parseZone(zone); err != nil {
		return nil, err
	}
	words := strings.Fields(text)
	switch {
	case len(text) > maxExpression:
		return nil, problem(CodeSchedule, "write five fields, such as 0 3 * * mon-fri", "%d characters: the limit is %d", len(text), maxExpression)
	case len(words) == 0:
		return nil, problem(CodeSchedule, "write five fields, such as 0 3 * * mon-fri", "says no time")
	case words[0] == "@every":
		s.every, err = parseEvery(words)
	case words[0][0] == '@':
		words, err = expand(words)
	case strings.HasPrefix(words[0], "TZ=") || strings.HasPrefix(words[0], "CRON_TZ="):
		err = problem(CodeSchedule, "write timezone: "+quoted(words[0][strings.IndexByte(words[0], '=')+1:]), "the time zone does not belong into the schedule")
	}
	if err == nil && s.every == 0 {
		s.times, err = parseCron(words)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func parseZone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, problem(CodeTimezone, "write a name such as Europe/Berlin", "timezone: Local differs from machine to machine")
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, problem(CodeTimezone, "write a name such as Europe/Berlin", "timezone: %s is not known", quoted(name))
	}
	return zone, nil
}

func parseEvery(words []string) (time.Duration, error) {
	if len(words) != 2 {
		return 0, problem(CodeSchedule, "write @every 10s", "@every takes one time span")
	}
	d, err := yamldoc.ParseDuration(words[1])
	switch {
	case err != nil:
		return 0, problem(CodeSchedule, "write a time span such as 30s, 5m, 2h or 7d", "@every: %s is none", quoted(words[1]))
	case d < MinEvery:
		return 0, problem(CodeSchedule, "", "@every: %v is below %v", d, MinEvery)
	}
	return d, nil
}

// expand gives the fields that a name stands for.
func expand(words []string) ([]string, error) {
	names := []string{"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"}
	times := []string{"0 * * * *", "0 0 * * *", "0 0 * * *", "0 0 * * sun", "0 0 1 * *", "0 0 1 1 *", "0 0 1 1 *"}
	i := slices.Index(names, words[0])
	switch {
	case i < 0:
		return nil, problem(CodeSchedule, yamldoc.Suggest(words[0], append(names, "@every")), "%s is no schedule", quoted(words[0]))
	case len(words) > 1:
		return nil, problem(CodeSchedule, "write "+words[0]+" alone", "%s takes nothing behind it", words[0])
	}
	return strings.Fields(times[i]), nil
}

// String gives the schedule as it was written.
func (s *Schedule) String() string { return s.text }

// Next gives the first time after a time, in UTC; the zero time if there is none
// within forty years.
func (s *Schedule) Next(after time.Time) time.Time {
	if s.every > 0 {
		return window.Floor(after, s.every).Add(s.every)
	}
	at := after.Unix() + 1
	for until := at + longest; at < until; {
		st := s.stretch(at)
		if at == st.start && s.madeUp(&st) {
			return time.Unix(at, 0).UTC()
		}
		if wall, ok := s.times.next(max(at+st.offset, st.first), st.end+st.offset); ok {
			return time.Unix(wall-st.offset, 0).UTC()
		}
		at = st.end
	}
	return time.Time{}
}

// Last gives the latest time up to a time, in UTC; the zero time if there is none
// within forty years.
func (s *Schedule) Last(upTo time.Time) time.Time {
	if s.every > 0 {
		return window.Floor(upTo, s.every)
	}
	at := upTo.Unix()
	for until := at - longest; at > until; {
		st := s.stretch(at)
		if wall, ok := s.times.last(at+st.offset, st.first); ok {
			return time.Unix(wall-st.offset, 0).UTC()
		}
		if s.madeUp(&st) {
			return time.Unix(st.start, 0).UTC()
		}
		at = st.start - 1
	}
	return time.Time{}
}

// Due appends the times after last, up to now, that count according to Missed,
// the earliest first; last and now are the lane's time before and after one step
// of its clock. Cut says that there were more than the MaxDue given. The work does
// not depend on how many times there were.
func (s *Schedule) Due(last, now time.Time, dst []time.Time) (due []time.Time, cut bool) {
	from, most := len(dst), 1
	if s.missed == MissedAll {
		most = MaxDue
	}
	for at := s.Last(now); !at.IsZero() && at.After(last); at = s.Last(at.Add(-1)) {
		if len(dst)-from == most {
			cut = s.missed == MissedAll
			break
		}
		if s.missed == MissedNone && now.Sub(at) > Grace {
			break
		}
		dst = append(dst, at)
	}
	slices.Reverse(dst[from:])
	return dst, cut
}

// stretch is a stretch of time between two transitions of a zone.
type stretch struct {
	start, end int64 // Unix times
	offset     int64 // of wall time from Unix time
	before     int64 // the offset before start
	first      int64 // the first wall time that counts
}

const quarter = 15 * 60

// forever is further away than any time, and far from overflow.
const forever = int64(1) << 60

// stretch gives the stretch that a time lies in.
func (s *Schedule) stretch(at int64) stretch {
	t := time.Unix(at, 0).In(s.zone)
	from, to := t.ZoneBounds()
	_, offset := t.Zone()
	st := stretch{start: -forever, end: forever, offset: int64(offset), before: int64(offset)}
	if !from.IsZero() {
		st.start = from.Unix()
		_, before := from.Add(-1).Zone()
		st.before = int64(before)
	}
	if !to.IsZero() {
		st.end = to.Unix()
	}
	if st.end <= at {
		// Beyond the years a zone lists, ZoneBounds lets every year end after 365
		// days, so that the last day of a leap year lies behind its own end. There
		// the next quarter of an hour, where such zones change if at all, will do.
		st.end = (at/quarter + 1) * quarter
	}
	st.first = st.start + st.offset
	if again := s.dst == DSTTwice || s.dst == DSTLiteral || s.times.everyHour; !again {
		st.first = max(st.first, st.start+st.before) // what was shown before does not count again
	}
	return st
}

// madeUp reports whether times that were skipped when the stretch began come at
// its start.
func (s *Schedule) madeUp(st *stretch) bool {
	if st.before >= st.offset || s.times.everyHour || s.dst == DSTSkip || s.dst == DSTLiteral {
		return false
	}
	_, skipped := s.times.next(st.start+st.before, st.start+st.offset)
	return skipped
}
