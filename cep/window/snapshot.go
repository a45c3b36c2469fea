package window

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/rhost/rhost/cep/window/codec"
)

// A state, version 1:
//
//	byte     1, the version
//	8 bytes  fingerprint of the plan, little-endian
//	byte     0: never used; 1: empty; 2: holds events
//	time     now                                     unless never used
//	time     start of the window that is due next    if it holds events
//	time     its end                                 likewise
//	partial  the window                              likewise, unless windows slide
//
// and of windows that slide, instead of the last:
//
//	byte     whether a pane is open
//	uvarint  panes in front, and then each, the earliest last: time, partial
//	uvarint  panes in back, and then each, the earliest first; the open one last
//	partial  what those in back that are closed hold together, if there are any
//
// Times and numbers are those of package codec, partials those of partial.append.
// Everything is written in an order that depends on the state alone.
const stateVersion = 1

const (
	stateUnused = iota
	stateEmpty
	stateHolds
)

// AppendState appends the state's versioned binary form, which RestoreState reads
// with an equal plan, on any machine. Its length is linear in what the state
// holds, and the same state gives the same bytes.
func (p *Plan) AppendState(dst []byte, s *State) []byte {
	dst = binary.LittleEndian.AppendUint64(append(dst, stateVersion), p.print)
	switch {
	case !s.started:
		return append(dst, stateUnused)
	case s.Empty():
		return codec.AppendTime(append(dst, stateEmpty), s.now)
	}
	dst = codec.AppendTime(append(dst, stateHolds), s.now)
	dst = codec.AppendTime(codec.AppendTime(dst, s.from), s.to)
	if p.spec.Kind != Sliding {
		return s.open.append(dst)
	}
	q, closed := s.panes, len(s.panes.back)
	dst = append(dst, byte(boolean(s.open != nil)))
	dst = appendPanes(dst, q.front...)
	if s.open == nil {
		dst = appendPanes(dst, q.back...)
	} else {
		dst = appendPanes(dst, append(q.back[:closed:closed], s.open)...)
	}
	if closed > 0 {
		dst = q.total.append(dst)
	}
	return dst
}

func appendPanes(dst []byte, pts ...*partial) []byte {
	dst = codec.AppendUint(dst, uint64(len(pts)))
	for _, pt := range pts {
		dst = pt.append(codec.AppendTime(dst, pt.from))
	}
	return dst
}

// RestoreState reads what AppendState wrote at the start of b and gives the rest
// of b. The state has bytes of its own. Bytes that no state of this plan can have
// written are an error.
func (p *Plan) RestoreState(b []byte) (*State, []byte, error) {
	r := codec.NewReader(b)
	if v := r.Byte(); r.Err() == nil && v != stateVersion {
		return nil, b, fmt.Errorf("window state of version %d: this release reads version %d; run the release that wrote it", v, stateVersion)
	}
	var plan [8]byte
	for i := range plan {
		plan[i] = r.Byte()
	}
	if r.Err() == nil && binary.LittleEndian.Uint64(plan[:]) != p.print {
		return nil, b, fmt.Errorf("window state of another window or other aggregates than %s", p.spec)
	}
	s := p.New()
	switch form := r.Byte(); form {
	case stateUnused:
	case stateEmpty:
		s.started, s.now = true, r.Time()
	case stateHolds:
		p.restore(s, r)
	default:
		r.Fail("a state of form %d", form)
	}
	if err := r.Err(); err != nil {
		return nil, b, fmt.Errorf("window state: %w", err)
	}
	return s, r.Rest(), nil
}

// restore reads a state that holds events.
func (p *Plan) restore(s *State, r *codec.Reader) {
	s.started, s.now = true, r.Time()
	s.from, s.to = r.Time(), r.Time()
	if p.spec.Kind == Sliding {
		p.restorePanes(s, r)
	} else {
		s.open = p.readPartial(r)
	}
	if r.Err() == nil {
		r.Check(p.sound(s), "times that do not fit together")
	}
}

// sound reports whether the times of a state can be those of one that holds
// events.
func (p *Plan) sound(s *State) bool {
	switch p.spec.Kind {
	case Count:
		return s.open.n < p.spec.Count && s.to.IsZero() && s.from.Equal(s.open.begin) && !s.now.Before(s.open.end)
	case Tumbling:
		return s.to.After(s.now) && s.from.Equal(Floor(s.open.begin, p.spec.Size)) && s.to.Equal(s.from.Add(p.spec.Size)) && !s.now.Before(s.open.end)
	case Session:
		return s.to.After(s.now) && s.from.Equal(s.open.begin) && s.to.Equal(s.open.end.Add(p.spec.Size)) && !s.now.Before(s.open.end)
	default:
		return s.to.After(s.now) && s.from.Equal(Floor(s.from, p.spec.Slide)) && s.to.Equal(s.from.Add(p.spec.Size))
	}
}

func (p *Plan) restorePanes(s *State, r *codec.Reader) {
	q := &panes{total: p.empty()}
	s.panes = q
	open := r.Bool()
	q.front = p.readPanes(r)
	q.back = p.readPanes(r)
	if open && len(q.back) == 0 {
		r.Fail("an open pane that is not there")
	}
	if r.Err() != nil {
		return
	}
	before := s.from // where the earliest pane may start
	for _, pt := range slices.Backward(q.front) {
		before = p.checkPane(s, pt, before, r)
	}
	for _, pt := range q.back {
		before = p.checkPane(s, pt, before, r)
	}
	if open {
		last := len(q.back) - 1
		s.open = q.back[last]
		_, q.openTo = p.spec.pane(s.open.from)
		q.back = q.back[:last]
	}
	if len(q.back) > 0 {
		q.total = p.readPartial(r)
	}
	r.Check(!s.Empty(), "a window without panes")
}

func (p *Plan) readPanes(r *codec.Reader) []*partial {
	var pts []*partial
	for range r.Len(int(p.spec.panes())) {
		from := r.Time()
		pt := p.readPartial(r)
		if r.Err() != nil {
			return nil
		}
		pt.from = from
		pts = append(pts, pt)
	}
	return pts
}

// checkPane makes sure that a pane starts where panes do, not before a time, and
// in the window that is due. It gives the pane's end.
func (p *Plan) checkPane(s *State, pt *partial, before time.Time, r *codec.Reader) time.Time {
	from, to := p.spec.pane(pt.from)
	r.Check(from.Equal(pt.from) && !from.Before(before) && from.Before(s.to), "panes that do not fit together")
	return to
}
