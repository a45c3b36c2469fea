package tenants

import "slices"

const (
	ledgerSpan  = 1 << 20 // bytes of a segment, at first
	ledgerParts = 4096    // segments at the most
)

// Charge is a number of bytes of a tenant.
type Charge struct {
	Tenant string
	Bytes  int64
}

// Segment is what the frames of a log from First on, up to the next segment, hold of
// tenants.
type Segment struct {
	First   uint64
	Charges []Charge // one for each tenant
}

// Ledger counts what tenants hold in a log whose frames come at its end and go from
// its beginning. It keeps a sum for each stretch of frames, so what goes can be
// subtracted without having been kept frame by frame: what of a stretch stays is
// counted again, once, by whoever can read it. There are at most 4,096 stretches,
// which grow with the log.
//
// A Ledger belongs to one goroutine, or to whoever guards it. The zero Ledger has
// counted nothing.
type Ledger struct {
	upto   uint64 // last frame counted
	parts  []Segment
	span   int64 // bytes at which a segment is full
	sealed bool  // the next frame begins a segment
	totals []Charge
}

// NewLedger returns a ledger of what Segments gave. The slice belongs to it from
// then on, but for the charges in it.
func NewLedger(upto uint64, parts []Segment) *Ledger {
	l := &Ledger{upto: upto, parts: parts, sealed: true}
	for _, p := range parts {
		for _, c := range p.Charges {
			l.totals = add(l.totals, c)
		}
	}
	for l.span = ledgerSpan; len(parts) > 0 && l.span < l.sum()/ledgerParts; {
		l.span *= 2
	}
	return l
}

// Upto is the last frame that was counted.
func (l *Ledger) Upto() uint64 { return l.upto }

// Held is what a tenant holds.
func (l *Ledger) Held(tenant string) int64 {
	for i := range l.totals {
		if l.totals[i].Tenant == tenant {
			return l.totals[i].Bytes
		}
	}
	return 0
}

// Segments returns what NewLedger takes.
func (l *Ledger) Segments() (upto uint64, parts []Segment) {
	parts = slices.Clone(l.parts)
	if n := len(parts); n > 0 { // the last one still changes
		parts[n-1].Charges = slices.Clone(parts[n-1].Charges)
	}
	return l.upto, parts
}

// Add counts a frame, which must be the one after the last. One that is counted
// already is passed over.
func (l *Ledger) Add(frame uint64, charges []Charge) {
	if frame <= l.upto {
		return
	}
	l.upto = frame
	if len(charges) == 0 {
		return
	}
	if l.span == 0 {
		l.span = ledgerSpan
	}
	if n := len(l.parts); n == 0 || l.sealed || sumOf(l.parts[n-1].Charges) >= l.span {
		l.begin(frame)
	}
	last := &l.parts[len(l.parts)-1]
	for _, c := range charges {
		last.Charges = add(last.Charges, c)
		l.totals = add(l.totals, c)
	}
}

func (l *Ledger) begin(frame uint64) {
	l.sealed = false
	if len(l.parts) >= ledgerParts {
		l.span *= 2
		l.halve()
	}
	l.parts = append(l.parts, Segment{First: frame})
}

// halve makes one segment of every two.
func (l *Ledger) halve() {
	for i := 0; i < len(l.parts); i += 2 {
		p := Segment{First: l.parts[i].First, Charges: slices.Clone(l.parts[i].Charges)}
		if i+1 < len(l.parts) {
			for _, c := range l.parts[i+1].Charges {
				p.Charges = add(p.Charges, c)
			}
		}
		l.parts[i/2] = p
	}
	l.parts = slices.Delete(l.parts, (len(l.parts)+1)/2, len(l.parts))
}

// Trim drops what lies before frame first. Where that is inside a segment, the
// frames from..to of it are left and have to be counted again: Recount takes the
// sum. Until then the whole segment counts.
func (l *Ledger) Trim(first uint64) (from, to uint64, again bool) {
	n := 0
	for n < len(l.parts) && l.end(n) < first {
		l.drop(l.parts[n].Charges)
		n++
	}
	l.parts = slices.Delete(l.parts, 0, n)
	if len(l.parts) == 0 || l.parts[0].First >= first {
		return 0, 0, false
	}
	if len(l.parts) == 1 {
		l.sealed = true
	}
	return first, l.end(0), true
}

// Recount sets what the frames from..to hold, as Trim asked. It does nothing, and
// reports false, when segments were joined meanwhile: then Trim comes again.
func (l *Ledger) Recount(from, to uint64, charges []Charge) bool {
	if len(l.parts) == 0 || l.parts[0].First >= from || l.end(0) != to {
		return false
	}
	l.drop(l.parts[0].Charges)
	l.parts[0] = Segment{First: from}
	for _, c := range charges {
		l.parts[0].Charges = add(l.parts[0].Charges, c)
		l.totals = add(l.totals, c)
	}
	return true
}

// end is the last frame of a segment.
func (l *Ledger) end(i int) uint64 {
	if i+1 < len(l.parts) {
		return l.parts[i+1].First - 1
	}
	return l.upto
}

func (l *Ledger) drop(charges []Charge) {
	for _, c := range charges {
		l.totals = add(l.totals, Charge{c.Tenant, -c.Bytes})
	}
}

func (l *Ledger) sum() int64 { return sumOf(l.totals) }

func sumOf(list []Charge) (n int64) {
	for _, c := range list {
		n += c.Bytes
	}
	return n
}

// add adds to the charge of the same tenant.
func add(list []Charge, c Charge) []Charge {
	for i := range list {
		if list[i].Tenant == c.Tenant {
			list[i].Bytes += c.Bytes
			return list
		}
	}
	return append(list, c)
}
