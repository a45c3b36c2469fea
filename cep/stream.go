package cep

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/rhost/rhost/event"
)

// Stream is `rhost match` without its input and output: lines of NDJSON in,
// matches out. Each line is an event, of which only the type must be there (id
// defaults to line-N, source to match, time to the lane's), or
// {"watermark": TIME}, which only moves time on. It belongs to one goroutine.
type Stream struct {
	m    *Matcher
	line int
	ev   event.Event // of the line
}

// NewStream starts at lane time 1970-01-01.
func NewStream(p *Program, o Options) *Stream { return &Stream{m: NewMatcher(p, o)} }

// Matcher gives the matcher behind the stream, to ask it for what it counts and
// why rules did not match.
func (s *Stream) Matcher() *Matcher { return s.m }

// Line takes line n, counted from 1, and appends the matches it causes to dst.
// An error says what is wrong with the line, which then has no effect. The text
// may be reused afterwards.
func (s *Stream) Line(n int, text []byte, dst []Match) ([]Match, error) {
	s.line = n
	pos := Position{Seq: uint64(n)}
	if mark, ok := watermark(text); ok {
		at, err := time.Parse(time.RFC3339, mark)
		if err != nil {
			return dst, fmt.Errorf(`line %d: watermark: %q is no time; write it as in {"watermark":"2026-01-01T00:01:00Z"}`, n, mark)
		}
		return s.m.Advance(at, pos, dst), nil
	}
	m := s.m
	var err error
	if m.fields, err = m.prog.paths.ParseScan(text, true, &s.ev, m.fields); err != nil {
		return dst, fmt.Errorf("line %d: %w", n, err)
	}
	at := s.ev.Time
	if s.complete(n) {
		m.prog.paths.ScanAttrs(&s.ev, m.fields)
	}
	dst = m.Advance(at, pos, dst)
	return m.fed(&s.ev, pos, dst), nil
}

// complete fills in the attributes that line n leaves out, and reports whether
// there were any.
func (s *Stream) complete(n int) bool {
	ev := &s.ev
	if ev.ID != "" && ev.Source != "" && !ev.Time.IsZero() {
		return false
	}
	if ev.ID == "" {
		ev.ID = "line-" + strconv.Itoa(n)
	}
	if ev.Source == "" {
		ev.Source = "match"
	}
	if ev.Time.IsZero() {
		ev.Time = s.m.Now()
	}
	return true
}

// AdvanceTo moves time on after the last line.
func (s *Stream) AdvanceTo(at time.Time, dst []Match) []Match {
	return s.m.Advance(at, Position{Seq: uint64(s.line)}, dst)
}

// watermark reads a line that is nothing but a watermark.
func watermark(text []byte) (string, bool) {
	if len(text) > maxWatermark || !bytes.Contains(text, []byte("watermark")) {
		return "", false
	}
	var line map[string]string
	if err := json.Unmarshal(text, &line); err != nil || len(line) != 1 {
		return "", false
	}
	mark, ok := line["watermark"]
	return mark, ok
}

// maxWatermark is longer than any line with a watermark alone needs to be.
const maxWatermark = 256
