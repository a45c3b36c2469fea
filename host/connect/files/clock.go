package files

import (
	"fmt"
	"time"
)

// ahead is how far in the future a date without a year may lie: clocks differ,
// and a line of New Year's Eve may be read on New Year's Day.
const ahead = 24 * time.Hour

// clock reads the times of lines.
type clock struct {
	layout   string
	zone     *time.Location
	yearless bool
	now      func() time.Time
}

func newClock(layout string, zone *time.Location, now func() time.Time) clock {
	if layout == "" {
		layout = time.RFC3339
	}
	return clock{layout: layout, zone: zone, yearless: !tellsYear(layout), now: now}
}

// parse reads a time. A date without a year is of the latest year that does not
// put it more than a day ahead of now.
func (c *clock) parse(text string) (time.Time, error) {
	t, err := time.ParseInLocation(c.layout, text, c.zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %q is not a time of the form %q; correct the time: of the source", timeName, text, c.layout)
	}
	if c.yearless {
		t = c.withYear(t)
	}
	return t.UTC(), nil
}

func (c *clock) withYear(t time.Time) time.Time {
	latest := c.now().Add(ahead)
	for year := latest.In(c.zone).Year() + 1; ; year-- {
		full := time.Date(year, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
		if full.Day() == t.Day() && !full.After(latest) { // February 29 is not in every year
			return full
		}
	}
}

// tellsTime reports whether a layout shows the time at all.
func tellsTime(layout string) bool {
	t := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	return t.Format(layout) != t.AddDate(1, 1, 1).Add(time.Hour+time.Minute+time.Second).Format(layout)
}

// tellsYear reports whether a layout shows the year. The two dates differ in
// nothing else, not even in the day of the week.
func tellsYear(layout string) bool {
	t := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	return t.Format(layout) != t.AddDate(28, 0, 0).Format(layout)
}
