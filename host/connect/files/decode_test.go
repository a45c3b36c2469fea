package files

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/event"
)

const sshd = `^(?P<time>\w{3} [ \d]\d \d\d:\d\d:\d\d) (?P<host>\S+) sshd\[\d+\]: (?P<result>Failed|Accepted) password for (?:invalid user )?(?P<user>.*?) from (?P<ip>\S+)(?: port (?P<port>\d+))?`

func newYear() time.Time { return time.Date(2026, 1, 1, 0, 30, 0, 0, time.UTC) }

func testDecoder(t testing.TB, c Config) *decoder {
	t.Helper()
	d, err := newDecoder("sshd", &c, newYear)
	require.NoError(t, err)
	return d
}

func TestDecodeRegex(t *testing.T) {
	d := testDecoder(t, Config{Format: FormatRegex, Regex: sshd, Type: "ssh.auth", Time: time.Stamp})
	ev, ok, err := d.decode([]byte("Dec 31 23:59:58 web1 sshd[7]: Failed password for invalid user a\"b\x00\xff from 10.0.0.1"))
	require.NoError(t, err)
	require.True(t, ok)
	assert.Equal(t, "ssh.auth", ev.Type)
	assert.Equal(t, "/rhost/files/sshd", ev.Source)
	assert.Equal(t, time.Date(2025, 12, 31, 23, 59, 58, 0, time.UTC), ev.Time)
	assert.JSONEq(t, `{"host":"web1","result":"Failed","user":"a\"b\u0000\ufffd","ip":"10.0.0.1"}`, string(ev.Data))
	ev.ID = "1"
	assert.NoError(t, ev.Validate())

	_, ok, err = d.decode([]byte("Dec 31 23:59:58 web1 cron[7]: hello"))
	assert.False(t, ok, "of no interest")
	assert.NoError(t, err)
	_, ok, err = d.decode([]byte("Dez 31 23:59:58 web1 sshd[7]: Failed password for a from b port 5"))
	assert.False(t, ok)
	assert.ErrorContains(t, err, `time: "Dez 31 23:59:58" is not a time of the form "Jan _2 15:04:05"; correct the time: of the source`)
}

func TestDecodeOtherFormats(t *testing.T) {
	d := testDecoder(t, Config{})
	ev, ok, err := d.decode([]byte(`{"type":"t","id":"own","source":"/own"}`))
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, event.Event{Type: "t", ID: "own", Source: "/own"}, ev)
	_, ok, err = d.decode([]byte(`{"id":"own"}`))
	assert.False(t, ok)
	assert.EqualError(t, err, "type: is missing (offset 0); every event needs a type")

	d = testDecoder(t, Config{Format: FormatJSON, Type: "t", Time: "02.01.2006 15:04", Timezone: "Europe/Berlin"})
	ev, _, err = d.decode([]byte(`{"time":"01.02.2026 10:00"}`))
	require.NoError(t, err)
	assert.Equal(t, time.Date(2026, 2, 1, 9, 0, 0, 0, time.UTC), ev.Time)
	ev, _, err = d.decode([]byte(`[1]`))
	require.NoError(t, err)
	assert.True(t, ev.Time.IsZero())
	assert.Equal(t, `[1]`, string(ev.Data))
}

func TestYearless(t *testing.T) {
	for _, tt := range []struct{ now, text, want string }{
		{"2026-01-01T00:30:00Z", "Dec 31 23:59:58", "2025-12-31T23:59:58Z"},
		{"2026-01-01T00:30:00Z", "Jan  1 00:29:00", "2026-01-01T00:29:00Z"},
		{"2025-12-31T23:59:00Z", "Jan  1 00:00:01", "2026-01-01T00:00:01Z"}, // a clock a little ahead
		{"2025-12-31T23:59:00Z", "Jan  2 00:00:01", "2025-01-02T00:00:01Z"}, // more than a day ahead
		{"2026-06-01T00:00:00Z", "Feb 29 12:00:00", "2024-02-29T12:00:00Z"},
		{"2028-02-29T12:00:00Z", "Feb 29 12:00:00", "2028-02-29T12:00:00Z"},
	} {
		now, err := time.Parse(time.RFC3339, tt.now)
		require.NoError(t, err)
		c := newClock(time.Stamp, time.UTC, func() time.Time { return now })
		got, err := c.parse(tt.text)
		require.NoError(t, err)
		assert.Equal(t, tt.want, got.Format(time.RFC3339), "%s at %s", tt.text, tt.now)
	}
	for layout, yearless := range map[string]bool{time.Stamp: true, time.RFC3339: false, "02/01/06": false, time.Kitchen: true, time.UnixDate: false} {
		assert.Equal(t, yearless, newClock(layout, time.UTC, time.Now).yearless, layout)
	}
}

func TestValidate(t *testing.T) {
	for _, ok := range []Config{
		{Path: "x"},
		{Path: "x", From: "start", Format: FormatRegex, Regex: sshd, Type: "t", Time: time.Stamp, Clock: "event", Timezone: "Europe/Berlin"},
		{Path: "x", From: "end", Format: FormatJSON, Type: "t", Time: time.Kitchen},
	} {
		assert.NoError(t, ok.Validate())
	}
	c := Config{From: "middle", Clock: "wall", Format: FormatRegex, Regex: `(`, Timezone: "Mars", Time: "soon", Type: "rhost.x"}
	assert.EqualError(t, c.Validate(), strings.Join([]string{
		"path: must name a file",
		`from: "middle" is neither start nor end`,
		`clock: "wall" is not known; write event, or leave it out`,
		`type: "rhost.x" starts with rhost., which is reserved for the host; choose another prefix`,
		"timezone: unknown time zone Mars; write a name such as Europe/Berlin",
		`time: "soon" is not a layout; write how Mon Jan 2 15:04:05 2006 would look`,
		"regex: error parsing regexp: missing closing ): `(`",
	}, "\n"))
	for want, c := range map[string]Config{
		"format: \"csv\" is none of ndjson, json, regex":     {Format: "csv"},
		"type: must name the type of the events":             {Format: FormatJSON},
		"type: lines of format ndjson have their own":        {Type: "t"},
		"time: lines of format ndjson have theirs":           {Time: time.Stamp},
		"regex: only format: regex has one":                  {Regex: "x"},
		"regex: must be set for format: regex":               {Format: FormatRegex},
		"regex: has no named group":                          {Format: FormatRegex, Regex: `(\d)`},
		"regex: the group a is there twice; name them apart": {Format: FormatRegex, Regex: `(?P<a>x)(?P<a>y)`},
	} {
		c.Path = "x"
		assert.ErrorContains(t, c.Validate(), want)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("Dec 31 23:59:58 web1 sshd[7]: Failed password for a from b port 5"))
	f.Add([]byte(`{"type":"t","time":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte("{\"time\":\"\xff\"}"))
	decoders := []*decoder{
		testDecoder(f, Config{Format: FormatRegex, Regex: sshd, Type: "t", Time: time.Stamp}),
		testDecoder(f, Config{Format: FormatRegex, Regex: `(?P<a>.)(?P<b>.*)`, Type: "t"}),
		testDecoder(f, Config{Format: FormatJSON, Type: "t"}),
		testDecoder(f, Config{}),
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		for _, d := range decoders {
			ev, ok, err := d.decode(line)
			if ok {
				require.NoError(t, err)
				ev.ID = "1"
				require.NoError(t, ev.Validate())
			}
		}
	})
}

func FuzzPlace(f *testing.F) {
	f.Add(place{Inode: 1, Offset: 2, Head: 2}.encode())
	f.Add([]byte(`{"offset":-1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePlace(b)
		if err == nil {
			again, err := decodePlace(p.encode())
			require.NoError(t, err)
			assert.Equal(t, p, again)
		}
	})
}
