package event

import "time"

// parseTime reads RFC 3339 to the letter, in UTC. The standard library also
// takes a comma for the point and an hour of one digit.
func parseTime(s string) (time.Time, bool) {
	if len(s) < len("2006-01-02T15:04:05Z") {
		return time.Time{}, false
	}
	date, ok1 := digitPairs(word(bytesOf(s), 0), 0x2d30302d30303030, 0x7f76767f76767676)          // 0000-00-
	clock, ok2 := digitPairs(word(bytesOf(s), 8)|' '<<16, 0x30303a3030743030, 0x76767f76767f7676) // 00t00:00
	tens, ones := s[17]-'0', s[18]-'0'
	if !ok1 || !ok2 || s[16] != ':' || tens > 9 || ones > 9 {
		return time.Time{}, false
	}
	year, month, day := int(date&0xff*100+date>>16&0xff), int(date>>40&0xff), int(clock&0xff)
	hour, minute, sec := int(clock>>24&0xff), int(clock>>48&0xff), int(tens*10+ones)
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || sec > 59 {
		return time.Time{}, false
	}
	i, nanos := 19, 0
	if s[i] == '.' {
		if nanos, i = fraction(s, i+1); i < 0 {
			return time.Time{}, false
		}
	}
	unix := days(year, month, day)*86400 + int64(hour*3600+minute*60+sec)
	switch rest := s[i:]; {
	case len(rest) == 1 && rest[0]|0x20 == 'z':
	case len(rest) == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':':
		zone, ok := digitPairs(uint64(rest[1])|uint64(rest[2])<<8|uint64(rest[4])<<16|uint64(rest[5])<<24, 0x30303030, 0x76767676)
		h, m := int64(zone&0xff), int64(zone>>16&0xff)
		if !ok || h > 23 || m > 59 {
			return time.Time{}, false
		}
		east := h*3600 + m*60
		if rest[0] == '-' {
			east = -east
		}
		unix -= east
	default:
		return time.Time{}, false
	}
	return time.Unix(unix, int64(nanos)).UTC(), true
}

// fraction reads the digits from s[i] on as nanoseconds; it needs one, and those
// behind the ninth count for nothing. It returns the index behind them, or -1.
func fraction(s string, i int) (nanos, end int) {
	start, nine := i, min(i+9, len(s))
	for ; i < nine && s[i]-'0' <= 9; i++ {
		nanos = nanos*10 + int(s[i]-'0')
	}
	if i == start {
		return 0, -1
	}
	nanos *= int(tens[9-(i-start)])
	for i < len(s) && s[i]-'0' <= 9 {
		i++
	}
	return nanos, i
}

// digitPairs reads eight bytes that must look like the template, where '0' stands
// for any digit. The bytes of limit are 0x7f less what the byte may differ by: 9
// for a digit, nothing for a mark. Byte i of the result is the number that the
// digits i and i+1 make.
func digitPairs(w, template, limit uint64) (pairs uint64, ok bool) {
	w ^= template // digits turn into their values, marks into zeros
	return w*10 + w>>8, (w|(w+limit))&highs == 0
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
