package event

import "time"

// parseTime reads RFC 3339 to the letter, in UTC. The standard library also
// takes a comma for the point and an hour of one digit.
func parseTime(s string) (time.Time, bool) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[7] != '-' || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return time.Time{}, false
	}
	var bad bool
	num := func(from, to int) int {
		n := 0
		for _, c := range []byte(s[from:to]) {
			bad = bad || c-'0' > 9
			n = n*10 + int(c-'0')
		}
		return n
	}
	year, month, day := num(0, 4), num(5, 7), num(8, 10)
	hour, minute, sec := num(11, 13), num(14, 16), num(17, 19)
	if bad || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || sec > 59 {
		return time.Time{}, false
	}
	i, nanos := 19, 0
	if s[i] == '.' {
		unit := 100_000_000
		start := i + 1
		for i = start; i < len(s) && s[i]-'0' <= 9; i++ {
			nanos += int(s[i]-'0') * unit
			unit /= 10 // digits behind the ninth count for nothing
		}
		if i == start {
			return time.Time{}, false
		}
	}
	unix := days(year, month, day)*86400 + int64(hour*3600+minute*60+sec)
	switch rest := s[i:]; {
	case len(rest) == 1 && rest[0]|0x20 == 'z':
	case len(rest) == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':':
		h, m := num(i+1, i+3), num(i+4, i+6)
		if bad || h > 23 || m > 59 {
			return time.Time{}, false
		}
		east := int64(h*3600 + m*60)
		if rest[0] == '-' {
			east = -east
		}
		unix -= east
	default:
		return time.Time{}, false
	}
	return time.Unix(unix, int64(nanos)).UTC(), true
}

// days counts the days from 1970-01-01 to a date of the Gregorian calendar.
func days(year, month, day int) int64 {
	if month <= 2 { // the year starts in March, so that a leap day ends it
		year, month = year-1, month+12
	}
	era := year
	if era < 0 {
		era -= 399
	}
	era /= 400
	ofEra := year - era*400
	ofYear := (153*(month-3)+2)/5 + day - 1
	return int64(era*146097+ofEra*365+ofEra/4-ofEra/100+ofYear) - 719468
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
