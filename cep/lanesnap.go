package cep

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/rhost/rhost/event"
)

// The form of a snapshot of several lanes, version 1: the magic bytes, and with
// lengths before them (uvarint) the path that events are spread by and the snapshot
// of each matcher, that of the rest last. One lane is a matcher's plain snapshot.
const lanesMagic = "rhost-lanes\x01"

// LanesCapture is a Capture of all lanes.
type LanesCapture struct {
	by  event.Path
	all []*Capture
}

// Capture is that of each Matcher, between two calls of Feed.
func (l *Lanes) Capture() *LanesCapture {
	c := &LanesCapture{by: l.by}
	for _, m := range l.all {
		m.Advance(l.now, Position{}, nil) // lanes lag behind, with nothing due
		c.all = append(c.all, m.Capture())
	}
	return c
}

// Append appends the snapshot, as that of a Capture does.
func (c *LanesCapture) Append(dst []byte) []byte {
	if len(c.all) == 1 {
		return c.all[0].Append(dst)
	}
	dst = append(dst, lanesMagic...)
	dst = appendSized(dst, []byte(c.by.String()))
	for _, one := range c.all {
		dst = appendSized(dst, one.Append(nil))
	}
	return dst
}

func appendSized(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// Draining is that of all lanes.
func (l *Lanes) Draining() []*Rule {
	var list []*Rule
	for _, m := range l.all {
		for _, r := range m.Draining() {
			if !slices.ContainsFunc(list, func(o *Rule) bool { return o.Name == r.Name && o.Version == r.Version }) {
				list = append(list, r)
			}
		}
	}
	return list
}

// RestoreLanes makes lanes that go on where those left off that wrote the snapshot.
// What it needs besides, and the errors, are those of RestoreMatcher.
func RestoreLanes(p *Program, o Options, lanes int, by event.Path, snapshot []byte, older ...*Program) (*Lanes, error) {
	parts, was, err := laneParts(snapshot)
	if err != nil {
		return nil, err
	}
	options := optionsOf(o, lanes, by)
	if len(parts) != len(options) || len(parts) > 1 && was != by {
		return nil, fmt.Errorf("%w: it is of %d lanes by %q", ErrSnapshot, max(1, len(parts)-1), was)
	}
	l := &Lanes{by: by}
	for i, part := range parts {
		m, err := RestoreMatcher(p, options[i], part, older...)
		if err != nil {
			return nil, err
		}
		l.all = append(l.all, m)
	}
	return l.ready(), nil
}

// maxLanes bounds the lanes that a snapshot can be of.
const maxLanes = 1 << 10

// laneParts takes a snapshot apart.
func laneParts(b []byte) (parts [][]byte, by event.Path, err error) {
	rest, ok := bytes.CutPrefix(b, []byte(lanesMagic))
	if !ok {
		return [][]byte{b}, by, nil
	}
	path, rest, ok := cutSized(rest)
	if ok {
		by, err = event.ParsePath(string(path))
	}
	for ok && err == nil && len(rest) > 0 && len(parts) <= maxLanes {
		var part []byte
		part, rest, ok = cutSized(rest)
		parts = append(parts, part)
	}
	if !ok || err != nil || len(rest) > 0 || len(parts) < 3 {
		return nil, by, fmt.Errorf("%w: its lanes cannot be told apart", ErrSnapshot)
	}
	return parts, by, nil
}

func cutSized(b []byte) (part, rest []byte, ok bool) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return nil, nil, false
	}
	return b[used : used+int(n)], b[used+int(n):], true
}
