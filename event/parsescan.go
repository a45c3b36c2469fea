package event

// ParseScan is Parse (ParseLoose when loose is set) and Scan in one pass over
// the bytes: it overwrites ev with the event and gives the value of each path,
// as Scan does. It is the fast way in for whoever knows beforehand what will be
// asked of the event, and takes about half the time of the two calls.
//
// Nothing is allocated when dst is large enough and b has neither escapes where
// something is taken out nor extension attributes. An error is the one that
// Parse gives; then ev is the zero Event and every value Missing.
//
// The values are those of the event as it came. Whoever sets an attribute
// afterwards, such as the id that a loose event came without, calls ScanAttrs.
func (s *PathSet) ParseScan(b []byte, loose bool, ev *Event, dst []Value) ([]Value, error) {
	dst = s.clear(dst)
	*ev = Event{}
	p := envelope{parser: parser{d: b, dst: dst}, strict: !loose, want: s.data}
	if err := p.one(ev); err != nil {
		*ev = Event{}
		clear(dst)
		return dst, err
	}
	if p.data64At >= 0 || !ev.IsJSON() {
		return s.Scan(ev, dst), nil // data is not what stood there
	}
	s.ScanAttrs(ev, dst)
	return dst, nil
}

// ScanAttrs brings those of the values that Scan or ParseScan gave up to date
// which are attributes of the event, not parts of its payload.
func (s *PathSet) ScanAttrs(e *Event, dst []Value) {
	for i := range s.attrs {
		a := &s.attrs[i]
		dst[a.slot] = e.attr(a.attr, a.name)
	}
}
