package cep

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/rhost/rhost/cep/engine"
)

// The form of a snapshot, version 1: the magic bytes, a checksum of what follows
// (CRC-32C, big-endian), then the events that states hold and, as engine.Encoder
// writes them,
//
//	whether lane time is known, lane time, events seen, matches given out
//	rules: how many, and for each: how many programs lie between its own and the
//	       last, its name and version, whether it drains, why it was stopped (""
//	       when it was not), its counts, its engine; if it has one, the number of
//	       the part it shares (0: none) and, if it does, the keys of that which it
//	       has done with; its state
//	shared parts: how many, and for each: how many conditions lead through it, its
//	       state
//
// Rules stand in order, versions that drain before those that follow them. A rule
// of which nothing is known is left out. What rules hold in common is a shared part
// and written once; their own states have the keys that they hold by themselves,
// which stand for those of the part.
const snapshotMagic = "rhost-cep\x01"

// ErrSnapshot is the error of bytes that are no snapshot of this release's or
// are damaged.
var ErrSnapshot = engine.ErrSnapshot

// AppendSnapshot appends all that the matcher knows: open partial matches, the
// events they hold, windows, deadlines, counts and lane time. Its size and the
// time it takes are linear in what is open. What WhyNot tells is not part of it.
func (m *Matcher) AppendSnapshot(dst []byte) []byte { return m.Capture().Append(dst) }

// Capture is what a matcher knew at one moment. It does not change with the
// matcher.
type Capture struct{ e engine.Encoder }

// Append appends the snapshot. It may be called in any goroutine, while the matcher
// goes on, and once.
func (c *Capture) Append(dst []byte) []byte {
	dst = append(dst, snapshotMagic...)
	at := len(dst)
	dst = c.e.AppendEvents(append(dst, 0, 0, 0, 0))
	sum := crc32.Checksum(dst[at+4:], crc32.MakeTable(crc32.Castagnoli))
	dst[at], dst[at+1], dst[at+2], dst[at+3] = byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)
	return dst
}

// Capture takes a snapshot of all that AppendSnapshot speaks of, and leaves to
// another goroutine what can be done there: to write out the events, which do not
// change, and to put everything together.
func (m *Matcher) Capture() *Capture {
	c := &Capture{}
	e := &c.e
	e.Grow(m.captured + m.captured/8)
	e.Bool(m.begun)
	e.Time(m.now)
	e.Uint(m.seen)
	e.Uint(m.matches)
	var rules []*ruleState
	for _, rs := range m.all() {
		if rs.known() {
			rules = append(rules, rs)
		}
	}
	e.Uint(uint64(len(rules)))
	number, families := numbered(rules)
	for _, rs := range rules {
		age := 0 // which only orders the versions of a rule that drain
		if rs.draining {
			age = m.swaps - rs.age
		}
		e.Uint(uint64(age))
		rs.append(e, number[rs.family])
	}
	e.Uint(uint64(len(families)))
	for _, f := range families {
		f.append(e)
	}
	m.captured = e.Len()
	return c
}

func (rs *ruleState) append(e *engine.Encoder, family int) {
	e.Text(rs.rule.Name)
	e.Text(rs.rule.Version)
	e.Bool(rs.draining)
	stopped := ""
	if rs.err != nil {
		stopped = rs.err.Error()
	}
	e.Text(stopped)
	counts := rs.total()
	for _, n := range counts.list() {
		e.Uint(*n)
	}
	if rs.state == nil {
		e.Text("")
		return
	}
	e.Text(rs.plan.engine.Plan().Engine)
	rs.appendShare(e, family)
	rs.state.AppendTo(e)
}

// list gives the counts that a snapshot keeps.
func (s *RuleStats) list() []*uint64 {
	return []*uint64{&s.Matches, &s.Timeouts, &s.Keyless, &s.Rejected, &s.Dropped, &s.Overflow, &s.Ignored, &s.Unsure}
}

// Draining gives the rules of which an earlier version finishes what it has open: a
// snapshot can be restored only with programs that have them.
func (m *Matcher) Draining() []*Rule {
	var list []*Rule
	for _, rs := range m.draining {
		if rs.known() {
			list = append(list, rs.rule)
		}
	}
	return list
}

// RestoreMatcher makes a matcher that goes on where the one left off that wrote
// the snapshot. p must have the rules it followed, in the same versions and order,
// as far as anything is known of them; versions that were draining then are looked
// for in older. The error is an ErrSnapshot for bytes
// that cannot be read, or says which rule is missing.
func RestoreMatcher(p *Program, o Options, snapshot []byte, older ...*Program) (*Matcher, error) {
	body, err := opened(snapshot)
	if err != nil {
		return nil, err
	}
	d, err := engine.NewDecoder(body)
	if err != nil {
		return nil, err
	}
	m := NewMatcher(p, o)
	d.See(o.Tables)
	m.begun, m.now, m.seen, m.matches = d.Bool(), d.Time(), d.Uint(), d.Uint()
	r := &restorer{m: m, d: d, older: older}
	const least = 12 // bytes that every rule takes
	for range d.Len(least) {
		if err := r.rule(); err != nil {
			return nil, err
		}
	}
	for n := range d.Len(2) {
		r.family(n + 1)
		delete(r.members, n+1)
		if d.Err() != nil {
			return nil, d.Err()
		}
	}
	if d.Err() == nil && len(r.members) > 0 {
		d.Fail("what %d rules share is missing", len(r.members))
	}
	r.settle()
	if d.Err() == nil && d.Rest() > 0 {
		d.Fail("%d bytes too many", d.Rest())
	}
	if d.Err() != nil {
		return nil, d.Err()
	}
	for _, place := range p.always { // of rules that the snapshot does not know
		if !o.Part.has(p.places.at(int(place)).plan) {
			continue
		}
		if rs := m.rule(place); !rs.open() && rs.err == nil {
			m.start(rs)
		}
	}
	slices.SortStableFunc(m.draining, before)
	m.timers.sort()
	return m, nil
}

// opened checks the frame of a snapshot and gives what is in it.
func opened(b []byte) ([]byte, error) {
	n := len(snapshotMagic)
	if len(b) < n+4 || string(b[:n]) != snapshotMagic {
		return nil, fmt.Errorf("%w: it does not begin like one", ErrSnapshot)
	}
	var sum uint32
	for _, c := range b[n : n+4] {
		sum = sum<<8 | uint32(c)
	}
	if sum != crc32.Checksum(b[n+4:], crc32.MakeTable(crc32.Castagnoli)) {
		return nil, fmt.Errorf("%w: its checksum is wrong", ErrSnapshot)
	}
	return b[n+4:], nil
}

// restorer puts the rules of a snapshot where they belong.
type restorer struct {
	m     *Matcher
	d     *engine.Decoder
	older []*Program

	members map[int][]member // by number of what they share
}

func (r *restorer) rule() error {
	d := r.d
	age, name, version, draining := d.Bound(maxAge), d.Text(), d.Text(), d.Bool()
	if d.Err() != nil {
		return d.Err()
	}
	rs, err := r.find(age, draining, name, version)
	if err != nil {
		return err
	}
	if stopped := d.Text(); stopped == engine.ErrMiss.Error() {
		rs.err = engine.ErrMiss
	} else if stopped != "" {
		rs.err = errors.New(stopped)
	}
	for _, n := range rs.counts.list() {
		*n = d.Uint()
	}
	kind := d.Text()
	if d.Err() != nil {
		return d.Err()
	}
	have := ""
	if rs.state != nil {
		have = rs.plan.engine.Plan().Engine
	}
	if kind != have {
		return fmt.Errorf("%w: rule %s was followed by the engine %q and is now by %q", ErrSnapshot, name, kind, have)
	}
	if rs.state == nil {
		return nil
	}
	r.share(rs)
	if err := rs.state.Restore(d); err != nil {
		return fmt.Errorf("rule %s: %w", name, err)
	}
	r.m.timers.update(rs)
	return nil
}

// maxAge bounds how many programs there may have been since the one of a rule.
const maxAge = 1 << 31

// find gives the state of a rule, which is empty.
func (r *restorer) find(age int, draining bool, name, version string) (*ruleState, error) {
	m := r.m
	place, there := m.prog.names.get(name)
	if !draining {
		if !there || m.prog.places.at(int(place)).version() != version {
			return nil, fmt.Errorf("the snapshot is of other rules: it knows of %s version %.12s", name, version)
		}
		rs := m.rules[place]
		if rs == nil { // it joins a family when it is known which
			rs = newRuleState(m, place)
			m.rules[place] = rs
		}
		rs.age = m.swaps - age
		return rs, nil
	}
	for _, p := range r.older {
		e := p.find(name)
		if e == nil || e.plan == nil || !there || e.version() != version {
			continue
		}
		rs := &ruleState{rule: e.get(), plan: e.plan, place: place, age: m.swaps - age, draining: true, foreign: p.fields != m.prog.fields}
		switch part := m.opt.Part; {
		case !part.Rest && part.placement(e.plan) == Rekeyed:
			m.send(rs)
		case e.plan.engine != nil:
			rs.state = e.plan.engine.New()
		}
		m.draining = append(m.draining, rs)
		return rs, nil
	}
	return nil, fmt.Errorf("rule %s was changed while it had partial matches open: the version %.12s that drains is needed too", name, version)
}
