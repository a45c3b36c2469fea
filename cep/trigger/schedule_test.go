package trigger_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rhost/rhost/cep/trigger"
	"github.com/rhost/rhost/yamldoc"
)

func parse(t require.TestingT, text, zone string, missed trigger.Missed, dst trigger.DST) *trigger.Schedule {
	s, err := trigger.ParseSchedule(text, zone, missed, dst)
	require.NoError(t, err, text)
	return s
}

func utc(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

// following gives the times after a time, up to another.
func following(s *trigger.Schedule, after, upTo time.Time) []time.Time {
	var times []time.Time
	for at := s.Next(after); !at.IsZero() && !at.After(upTo); at = s.Next(at) {
		times = append(times, at)
	}
	return times
}

func TestNext(t *testing.T) {
	for _, tt := range []struct{ text, zone, after, want string }{
		{"0 3 * * mon-fri", "Europe/Berlin", "2026-01-02T12:00:00Z", "2026-01-05T02:00:00Z"},
		{"0 3 * * MON-FRI", "", "2026-01-05T03:00:00Z", "2026-01-06T03:00:00Z"},
		{"0 3 * * *", "", "2026-01-05T02:59:59.999999999Z", "2026-01-05T03:00:00Z"},
		{"*/10 * * * * *", "", "2026-01-01T00:00:05Z", "2026-01-01T00:00:10Z"},
		{"5/20 * * * *", "", "2026-01-01T00:26:00Z", "2026-01-01T00:45:00Z"},
		{"0 0 29 2 *", "", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
		{"0 0 29 2 *", "", "1896-02-29T00:00:00Z", "1904-02-29T00:00:00Z"},
		{"0 0 31 * *", "", "2026-02-01T00:00:00Z", "2026-03-31T00:00:00Z"},
		{"0 0 13 * fri", "", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"},   // either day
		{"0 0 */13 * fri", "", "2026-01-02T00:00:00Z", "2026-02-27T00:00:00Z"}, // both days: Friday the 1st, 14th or 27th
		{"0 0 * * 7", "", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"},
		{"0 0 * * fri-sun", "", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"},
		{"0 22-23,0-1 * jan,dec ?", "", "2026-02-01T00:00:00Z", "2026-12-01T00:00:00Z"},
		{"@hourly", "Asia/Kathmandu", "2026-01-01T00:00:00Z", "2026-01-01T00:15:00Z"},
		{"@daily", "America/New_York", "2026-01-01T00:00:00Z", "2026-01-01T05:00:00Z"},
		{"@weekly", "", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"},
		{"@monthly", "", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"},
		{"@yearly", "", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"@every 10s", "", "2026-01-01T00:00:10Z", "2026-01-01T00:00:20Z"},
		{"@every 7d", "", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"},
		{"0 0 1 1 *", "", "9998-06-01T00:00:00Z", "9999-01-01T00:00:00Z"},
	} {
		s := parse(t, tt.text, tt.zone, trigger.MissedOnce, trigger.DSTOnce)
		assert.Equal(t, utc(tt.want), s.Next(utc(tt.after)), "%s after %s", tt.text, tt.after)
		assert.Equal(t, utc(tt.want), s.Last(utc(tt.want)), "%s: a time is its own last", tt.text)
		assert.False(t, s.Last(utc(tt.want).Add(-1)).After(utc(tt.after)), "%s: none lies between", tt.text)
		assert.Equal(t, tt.text, s.String())
	}
}

// Summer time began in Berlin on 2026-03-29 at 01:00 UTC, when clocks went from
// 02:00 to 03:00, and ended on 2026-10-25 at 01:00 UTC, from 03:00 to 02:00.
func TestDST(t *testing.T) {
	for _, tt := range []struct {
		text   string
		dst    trigger.DST
		spring []string // on 2026-03-29, UTC
		autumn []string // on 2026-10-25, UTC
	}{
		{"30 2 * * *", trigger.DSTOnce, []string{"01:00"}, []string{"00:30"}},
		{"30 2 * * *", trigger.DSTSkip, nil, []string{"00:30"}},
		{"30 2 * * *", trigger.DSTTwice, []string{"01:00"}, []string{"00:30", "01:30"}},
		{"30 2 * * *", trigger.DSTLiteral, nil, []string{"00:30", "01:30"}},
		{"0 3 * * *", trigger.DSTOnce, []string{"01:00"}, []string{"02:00"}},
		{"0 2,3 * * *", trigger.DSTOnce, []string{"01:00"}, []string{"00:00", "02:00"}},
		{"*/20 2 * * *", trigger.DSTOnce, []string{"01:00"}, []string{"00:00", "00:20", "00:40"}},
		{"30 1-3 * * *", trigger.DSTOnce, []string{"00:30", "01:00", "01:30"}, []string{"23:30", "00:30", "02:30"}},
		{"30 1-3 * * *", trigger.DSTTwice, []string{"00:30", "01:00", "01:30"}, []string{"23:30", "00:30", "01:30", "02:30"}},
		{"30 * * * *", trigger.DSTOnce, []string{"23:30", "00:30", "01:30"}, []string{"23:30", "00:30", "01:30", "02:30"}}, // every hour there is
		{"30 * * * *", trigger.DSTSkip, []string{"23:30", "00:30", "01:30"}, []string{"23:30", "00:30", "01:30", "02:30"}},
		{"@every 1h", trigger.DSTOnce, []string{"00:00", "01:00"}, []string{"00:00", "01:00", "02:00"}},
	} {
		s := parse(t, tt.text, "Europe/Berlin", trigger.MissedAll, tt.dst)
		for day, want := range map[string][]string{"2026-03-29": tt.spring, "2026-10-25": tt.autumn} {
			after, upTo := utc(day+"T00:00:00Z").Add(-31*time.Minute), utc(day+"T01:59:59Z")
			if day == "2026-10-25" {
				upTo = utc(day + "T02:59:59Z")
			}
			var got []string
			for _, at := range following(s, after, upTo) {
				got = append(got, at.Format("15:04"))
			}
			assert.Equal(t, want, got, "%s, dst: %s, on %s", tt.text, tt.dst, day)
			due, cut := s.Due(after, upTo, nil)
			assert.Equal(t, following(s, after, upTo), due)
			assert.False(t, cut)
		}
	}
}

// A day that a whole country skipped: Samoa had no 30 December 2011.
func TestSkippedDay(t *testing.T) {
	once := parse(t, "0 9 * * *", "Pacific/Apia", trigger.MissedOnce, trigger.DSTOnce)
	assert.Equal(t, []time.Time{utc("2011-12-29T19:00:00Z"), utc("2011-12-30T10:00:00Z"), utc("2011-12-30T19:00:00Z")}, following(once, utc("2011-12-29T00:00:00Z"), utc("2011-12-31T00:00:00Z")))
}

// The last day of a leap year is a day like any other, in years that no zone lists
// too.
func TestLeapYears(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "Australia/Lord_Howe", "UTC"} {
		s := parse(t, "0 12 * * *", zone, trigger.MissedOnce, trigger.DSTOnce)
		days := 0
		for at, end := utc("2036-01-01T00:00:00Z"), utc("2052-01-01T00:00:00Z"); at.Before(end); days++ {
			next := s.Next(at)
			require.True(t, next.After(at) && !next.After(at.Add(25*time.Hour)), "%v to %v", at, next)
			require.Equal(t, next, s.Last(next.Add(time.Hour)))
			at = next
		}
		assert.InDelta(t, 16*365.25, days, 1)
	}
}

// shows gives the seconds from one time to another at which an expression holds,
// by looking at the clock on the wall every second.
func shows(fits func(wall time.Time) bool, every bool, zone *time.Location, dst trigger.DST, from, to time.Time) []time.Time {
	var due []time.Time
	clock := func(at time.Time) time.Time { // what the clock shows, as if it were UTC
		_, offset := at.In(zone).Zone()
		return at.UTC().Add(time.Duration(offset) * time.Second)
	}
	shown := make(map[int64]bool)
	twice := every || dst == trigger.DSTTwice || dst == trigger.DSTLiteral
	makeUp := !every && (dst == trigger.DSTOnce || dst == trigger.DSTTwice)
	before := from.Add(-2 * time.Hour)
	last := clock(before)
	for at := before; !at.After(to); at = at.Add(time.Second) {
		wall := clock(at)
		fires := fits(wall) && (twice || !shown[wall.Unix()])
		for skipped := last.Add(time.Second); makeUp && skipped.Before(wall); skipped = skipped.Add(time.Second) {
			fires = fires || fits(skipped)
		}
		shown[wall.Unix()], last = true, wall
		if fires && at.After(from) {
			due = append(due, at.UTC())
		}
	}
	return due
}

// drawExpression draws an expression and what it means.
func drawExpression(t *rapid.T) (string, func(wall time.Time) bool, bool) {
	part := func(label string, low, high int) (string, func(int) bool) {
		switch rapid.IntRange(0, 3).Draw(t, label) {
		case 0:
			return "*", func(int) bool { return true }
		case 1:
			step := rapid.IntRange(1, 7).Draw(t, "step")
			return fmt.Sprintf("*/%d", step), func(n int) bool { return (n-low)%step == 0 }
		case 2:
			a := rapid.IntRange(low, high).Draw(t, "a")
			b := rapid.IntRange(a, high).Draw(t, "b")
			return fmt.Sprintf("%d-%d", a, b), func(n int) bool { return n >= a && n <= b }
		default:
			list := rapid.SliceOfN(rapid.IntRange(low, high), 1, 4).Draw(t, "list")
			return strings.ReplaceAll(strings.Trim(fmt.Sprint(list), "[]"), " ", ","), func(n int) bool { return slices.Contains(list, n) }
		}
	}
	second := rapid.IntRange(0, 59).Draw(t, "second")
	minuteText, minute := part("minute", 0, 59)
	hourText, hour := part("hour", 0, 23)
	dayText, day := part("day", 1, 31)
	weekdayText, weekday := part("weekday", 0, 6)
	either := dayText[0] != '*' && weekdayText[0] != '*'
	every := true
	for h := range 24 {
		every = every && hour(h)
	}
	fits := func(w time.Time) bool {
		d, k := day(w.Day()), weekday(int(w.Weekday()))
		return w.Second() == second && minute(w.Minute()) && hour(w.Hour()) && (d && k || either && (d || k))
	}
	return fmt.Sprintf("%d %s %s %s * %s", second, minuteText, hourText, dayText, weekdayText), fits, every
}

// What the schedule computes is what somebody would see who watches the clock,
// around the hours when clocks are set and elsewhere.
func TestAgainstClock(t *testing.T) {
	zones := []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "America/Nuuk", "Africa/Casablanca", "Asia/Kathmandu", "UTC"}
	rapid.Check(t, func(t *rapid.T) {
		text, fits, every := drawExpression(t)
		name := rapid.SampledFrom(zones).Draw(t, "zone")
		zone, err := time.LoadLocation(name)
		require.NoError(t, err)
		dst := trigger.DST(rapid.IntRange(0, 3).Draw(t, "dst"))
		center := time.Unix(rapid.Int64Range(600_000_000, 5_000_000_000).Draw(t, "center"), 0)
		if _, next := center.In(zone).ZoneBounds(); !next.IsZero() && rapid.IntRange(0, 4).Draw(t, "transition") > 0 {
			center = next
		}
		if rapid.IntRange(0, 9).Draw(t, "new year") == 0 {
			center = time.Date(rapid.IntRange(2030, 2060).Draw(t, "year"), 12, 31, rapid.IntRange(0, 26).Draw(t, "hour"), 0, 0, 0, time.UTC)
		}
		from := center.Add(-time.Duration(rapid.IntRange(0, 7200).Draw(t, "before")) * time.Second)
		to := center.Add(time.Duration(rapid.IntRange(0, 10_000).Draw(t, "after")) * time.Second)

		s := parse(t, text, name, trigger.MissedAll, dst)
		want := shows(fits, every, zone, dst, from, to)
		require.Equal(t, want, following(s, from, to), "%s in %s, dst: %s", text, name, dst)
		if len(want) > 0 {
			require.Equal(t, want[len(want)-1], s.Last(to))
		} else {
			require.False(t, s.Last(to).After(from))
		}
		due, cut := s.Due(from, to, nil)
		require.Equal(t, want[max(0, len(want)-trigger.MaxDue):], append([]time.Time(nil), due...))
		require.Equal(t, len(want) > trigger.MaxDue, cut)
	})
}

func TestMissed(t *testing.T) {
	last, now := utc("2026-01-01T00:00:00Z"), utc("2026-01-01T03:00:00.5Z")
	due := func(text string, missed trigger.Missed, last, now time.Time) []time.Time {
		times, _ := parse(t, text, "", missed, trigger.DSTOnce).Due(last, now, nil)
		return times
	}
	three := utc("2026-01-01T03:00:00Z")
	assert.Equal(t, []time.Time{three.Add(-2 * time.Hour), three.Add(-time.Hour), three}, due("@hourly", trigger.MissedAll, last, now))
	assert.Equal(t, []time.Time{three}, due("@hourly", trigger.MissedOnce, last, now))
	assert.Equal(t, []time.Time{three}, due("@hourly", trigger.MissedNone, last, now))
	assert.Equal(t, []time.Time{three}, due("@hourly", trigger.MissedOnce, last, now.Add(time.Hour/2)))
	assert.Empty(t, due("@hourly", trigger.MissedNone, last, now.Add(time.Hour/2)), "half an hour late is missed")
	assert.Empty(t, due("@hourly", trigger.MissedAll, last, last), "time stood still")
	assert.Empty(t, due("@hourly", trigger.MissedAll, three, now), "the start of a step belongs to the step before")
	assert.Equal(t, []time.Time{three}, due("@hourly", trigger.MissedAll, three.Add(-1), three), "its end belongs to it")

	before := []time.Time{last}
	times, _ := parse(t, "@hourly", "", trigger.MissedAll, trigger.DSTOnce).Due(last, now, before)
	assert.Equal(t, last, times[0], "what is in the slice stays")
	assert.Len(t, times, 4)
}

// Millions of missed times cost as much as a thousand.
func TestManyMissed(t *testing.T) {
	start := time.Now()
	for _, text := range []string{"* * * * * *", "@every 100ms", "0 3 * * mon", "0 0 29 2 *"} {
		for _, missed := range []trigger.Missed{trigger.MissedAll, trigger.MissedOnce, trigger.MissedNone} {
			s := parse(t, text, "Europe/Berlin", missed, trigger.DSTOnce)
			due, cut := s.Due(utc("1970-01-01T00:00:00Z"), utc("9999-12-31T23:59:59Z"), nil)
			assert.Equal(t, missed == trigger.MissedAll, cut)
			assert.True(t, slices.IsSortedFunc(due, time.Time.Compare))
			if missed == trigger.MissedAll {
				assert.Len(t, due, trigger.MaxDue)
			} else {
				assert.LessOrEqual(t, len(due), 1)
			}
		}
	}
	assert.Less(t, time.Since(start), 5*time.Second)
}

// However the steps are cut, what all gives is the same.
func TestStepsOfTheClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, _, _ := drawExpression(t)
		s := parse(t, text, "Europe/Berlin", trigger.MissedAll, trigger.DST(rapid.IntRange(0, 3).Draw(t, "dst")))
		from := utc("2026-03-28T22:00:00Z")
		to := from.Add(6 * time.Hour)
		want := following(s, from, to)
		var got []time.Time
		for at := from; at.Before(to); {
			next := at.Add(time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "step")))
			if next.After(to) {
				next = to
			}
			got, _ = s.Due(at, next, got)
			at = next
		}
		require.Equal(t, want, got)
	})
}

func TestScheduleErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "says no time; write five fields, such as 0 3 * * mon-fri",
		"0 3 * *":                 "4 fields: it takes five, or six with seconds in front",
		"60 3 * * *":              "minute: 60 is not from 0 to 59",
		"0 24 * * *":              "hour: 24 is not from 0 to 23",
		"0 3 0 * *":               "day of the month: 0 is not from 1 to 31",
		"0 3 * 13 *":              "month: 13 is not from 1 to 12",
		"0 3 * * 8":               "day of the week: 8 is not from 0 to 7",
		"0 3 * * mo":              `day of the week: "mo" is neither a number nor a name; did you mean mon?`,
		"0 3 * * L":               "is neither a number nor a name",
		"0 3-1 * * *":             `hour: "3-1" ends before it starts; write two ranges, such as 22-23,0-5`,
		"*/0 * * * *":             `minute: "0" is no step`,
		"*/x * * * *":             `minute: "x" is no step`,
		"1,,2 * * * *":            `minute: "" is no number`,
		"1- * * * *":              `minute: "" is no number`,
		"0 0 30 2 *":              "no year has such a day; name a day that the month has",
		"0 0 31 2,4,6,9,11 *":     "no year has such a day",
		"@every":                  "@every takes one time span; write @every 10s",
		"@every 10":               `@every: "10" is none; write a time span`,
		"@every 10ms":             "@every: 10ms is below 100ms",
		"@dayly":                  `"@dayly" is no schedule; did you mean @daily?`,
		"@daily 3":                "@daily takes nothing behind it; write @daily alone",
		"TZ=Asia/Tokyo 0 3 * * *": `the time zone does not belong into the schedule; write timezone: "Asia/Tokyo"`,
		strings.Repeat("1,", 300): "600 characters: the limit is 512",
	} {
		_, err := trigger.ParseSchedule(text, "", 0, 0)
		require.ErrorContains(t, err, want, text)
		var e *yamldoc.Error
		require.ErrorAs(t, err, &e)
		assert.Contains(t, trigger.Codes(), e.Code)
	}
	for zone, want := range map[string]string{
		"Mars/Olympus": `timezone: "Mars/Olympus" is not known; write a name such as Europe/Berlin`,
		"Local":        "timezone: Local differs from machine to machine",
		"../etc/zone":  "is not known",
	} {
		_, err := trigger.ParseSchedule("0 3 * * *", zone, 0, 0)
		assert.ErrorContains(t, err, want)
	}
}

func TestChoices(t *testing.T) {
	for i, word := range []string{"once", "all", "none"} {
		m, err := trigger.ParseMissed(word)
		require.NoError(t, err)
		assert.Equal(t, trigger.Missed(i), m)
		assert.Equal(t, word, m.String())
	}
	for i, word := range []string{"once", "skip", "twice", "literal"} {
		d, err := trigger.ParseDST(word)
		require.NoError(t, err)
		assert.Equal(t, trigger.DST(i), d)
		assert.Equal(t, word, d.String())
	}
	_, err := trigger.ParseMissed("onec")
	assert.EqualError(t, err, `missed: "onec" is none of once, all, none; did you mean once?`)
	_, err = trigger.ParseDST("")
	assert.ErrorContains(t, err, `dst: "" is none of once, skip, twice, literal`)
}

// Whatever text a rule holds: no panic, no endless work, and the times of what is
// taken are in order.
func FuzzSchedule(f *testing.F) {
	for _, seed := range []string{"0 3 * * mon-fri", "*/10 5-20/3 1,15 jan sun", "@every 10s", "@hourly", "0 0 29 2 ?", "59 59 23 31 12 7"} {
		f.Add(seed, int64(1_700_000_000))
	}
	f.Fuzz(func(t *testing.T, text string, sec int64) {
		s, err := trigger.ParseSchedule(text, "Australia/Lord_Howe", trigger.MissedAll, trigger.DST(len(text)%4))
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		at := time.Unix(sec%(1<<38), 0)
		next := s.Next(at)
		require.True(t, next.After(at), text)
		require.Equal(t, next, s.Last(next), text)
		require.False(t, s.Last(next.Add(-1)).After(at), text)
	})
}

func BenchmarkNext(b *testing.B) {
	for _, text := range []string{"* * * * *", "0 3 * * mon-fri", "0 0 29 2 *", "@every 10s"} {
		b.Run(text, func(b *testing.B) {
			s := parse(b, text, "Europe/Berlin", trigger.MissedOnce, trigger.DSTOnce)
			at := utc("2026-01-01T00:00:00Z")
			for b.Loop() {
				at = s.Next(at)
				if at.Year() > 2100 {
					at = utc("2026-01-01T00:00:00Z")
				}
			}
		})
	}
}
