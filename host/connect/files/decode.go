package files

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rhost/rhost/event"
)

// decoder makes events of lines.
type decoder struct {
	format string
	source string // the source attribute of events that have none
	typ    string
	clock  clock

	re     *regexp.Regexp
	groups []string // names of the expression's groups
}

func newDecoder(name string, c *Config, now func() time.Time) (*decoder, error) {
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return nil, fmt.Errorf("timezone: %w", err)
	}
	d := &decoder{format: c.Format, source: "/rhost/files/" + name, typ: c.Type, clock: newClock(c.Time, zone, now)}
	if c.Format == FormatRegex {
		if d.re, err = regexp.Compile(c.Regex); err != nil {
			return nil, fmt.Errorf("regex: %w", err)
		}
		d.groups = d.re.SubexpNames()
	}
	return d, nil
}

// decode makes an event of a line, which must not change afterwards. It reports
// false for a line that is of no interest.
func (d *decoder) decode(line []byte) (event.Event, bool, error) {
	var ev event.Event
	var err error
	switch d.format {
	case FormatRegex:
		var ok bool
		if ev, ok, err = d.match(line); !ok {
			return ev, false, err
		}
	case FormatJSON:
		ev, err = d.payload(line)
	default:
		ev, err = event.ParseLoose(line)
	}
	if ev.Source == "" {
		ev.Source = d.source
	}
	return ev, err == nil, err
}

func (d *decoder) payload(line []byte) (event.Event, error) {
	if err := event.CheckJSON(line); err != nil {
		return event.Event{}, err
	}
	ev := event.Event{Type: d.typ, Data: line}
	at := ev.Get(event.PathOf("data", timeName))
	if at.Kind() != event.String {
		return ev, nil
	}
	var err error
	ev.Time, err = d.clock.parse(at.Str())
	return ev, err
}

// match makes a payload of the named groups. Bytes that are not UTF-8 become
// U+FFFD: whoever can write into a log could hide a line otherwise.
func (d *decoder) match(line []byte) (event.Event, bool, error) {
	m := d.re.FindSubmatchIndex(line)
	if m == nil {
		return event.Event{}, false, nil
	}
	ev := event.Event{Type: d.typ}
	data := append(make([]byte, 0, len(line)), '{')
	for i, name := range d.groups {
		from, to := m[2*i], m[2*i+1]
		if name == "" || from < 0 {
			continue // not named, or not part of this match
		}
		text := string(line[from:to])
		if name == timeName {
			var err error
			if ev.Time, err = d.clock.parse(text); err != nil {
				return ev, false, err
			}
			continue
		}
		if !utf8.ValidString(text) {
			text = strings.ToValidUTF8(text, "\ufffd")
		}
		if len(data) > 1 {
			data = append(data, ',')
		}
		data = event.StringValue(name).AppendJSON(data)
		data = append(data, ':')
		data = event.StringValue(text).AppendJSON(data)
	}
	ev.Data = append(data, '}')
	return ev, true, nil
}

// lineID is the id of an event without one: where its line is. The turn tells
// apart what stood at the same place of the same file before it was truncated.
func lineID(p place, offset int64) string {
	h := fnv.New128a()
	var b [24]byte
	binary.LittleEndian.PutUint64(b[:], p.Inode)
	binary.LittleEndian.PutUint64(b[8:], p.Turn)
	binary.LittleEndian.PutUint64(b[16:], uint64(offset))
	h.Write(b[:]) // a hash never fails to write
	return hex.EncodeToString(h.Sum(nil))
}
