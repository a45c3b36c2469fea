package eventlog

// chargeOver is what an event counts beside its key and body: about what the log
// writes with them.
const chargeOver = 32

// Charge is what the record counts against its tenant's quota: for an event its key
// and body and 32 bytes, for anything else, which the host writes for itself, nothing.
// It is the same whenever the record is read.
func (r *Record) Charge() int64 {
	if r.Kind != Event {
		return 0
	}
	return int64(len(r.Key) + len(r.Body) + chargeOver)
}

// Charge is a number of bytes of a tenant.
type Charge struct {
	Tenant string
	Bytes  int64
}

// Charges adds up what the records of f count, one entry for each tenant, onto dst.
func (f *Frame) Charges(dst []Charge) []Charge { return appendCharges(dst, f.Records) }

func appendCharges(dst []Charge, recs []Record) []Charge {
	for i := range recs {
		if n := recs[i].Charge(); n > 0 {
			dst = addCharge(dst, recs[i].Tenant, n)
		}
	}
	return dst
}

// addCharge looks at the newest entry first: it is the most likely one.
func addCharge(list []Charge, tenant string, n int64) []Charge {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Tenant == tenant {
			list[i].Bytes += n
			return list
		}
	}
	return append(list, Charge{tenant, n})
}

// Meter keeps the account of what tenants hold in stream EV. The committer asks it
// when a commit's turn has come, so whatever comes together is let in one by one. Its
// methods must not block.
type Meter interface {
	// Take takes room for n bytes of a tenant. An error refuses them: the commit
	// that brings them fails with it, whole, and nothing of it is stored. With must
	// there is no refusing.
	Take(tenant string, n int64, must bool) error
	// Return gives back room that was taken for what is not stored.
	Return(tenant string, n int64)
	// Stored is told of every frame that is stored, in order and once, when readers
	// can see it and before any commit in it is answered. Room was taken for charges, which are the caller's.
	Stored(frame uint64, charges []Charge)
}

// metering is what the committer keeps for its meter.
type metering struct {
	meter Meter    // nil: nobody counts
	taken []Charge // for the records of the draft
	ask   []Charge // of one commit; scratch
}

// admit takes room for a commit, and reports why there is none. Records that were
// accepted before need none. taken is what was taken, all records counted.
func (c *Committer) admit(q *request) (taken []Charge, err error) {
	m := &c.metering
	m.ask = appendCharges(m.ask[:0], q.recs)
	if err = m.take(q.admitted); err == nil || !c.dedup.enabled() {
		return m.ask, err
	}
	m.ask = m.ask[:0]
	for i := range q.recs {
		r := &q.recs[i]
		if n := r.Charge(); n > 0 && !c.known(r) {
			m.ask = addCharge(m.ask, r.Tenant, n)
		}
	}
	return m.ask, m.take(false)
}

func (c *Committer) known(r *Record) bool {
	if r.Dedup == (DedupKey{}) {
		return false
	}
	_, ok := c.dedup.find(&r.Dedup)
	return ok
}

// take takes all of m.ask or nothing.
func (m *metering) take(must bool) error {
	for i, one := range m.ask {
		if err := m.meter.Take(one.Tenant, one.Bytes, must); err != nil {
			m.giveBack(m.ask[:i])
			return err
		}
	}
	return nil
}

func (m *metering) giveBack(list []Charge) {
	for _, one := range list {
		if one.Bytes != 0 {
			m.meter.Return(one.Tenant, one.Bytes)
		}
	}
}

// settled notes what of taken the records of q use, which the draft has from index
// from on, and gives back the rest: some of them may have been there before.
func (c *Committer) settled(taken []Charge, q *request, from int) {
	m := &c.metering
	if len(q.res.Duplicates) == 0 {
		for _, one := range taken {
			m.taken = addCharge(m.taken, one.Tenant, one.Bytes)
		}
		return
	}
	for i := from; i < len(c.draft.records); i++ {
		r := &c.draft.records[i]
		if n := r.Charge(); n > 0 {
			m.taken = addCharge(m.taken, r.Tenant, n)
			taken = addCharge(taken, r.Tenant, -n)
		}
	}
	m.giveBack(taken)
}

// rollBack gives back what the draft took.
func (m *metering) rollBack() {
	m.giveBack(m.taken)
	m.taken = m.taken[:0]
}

// stored accounts for the draft, which is stored as frame.
func (m *metering) stored(frame uint64) {
	if m.meter == nil {
		return
	}
	m.meter.Stored(frame, m.taken)
	m.taken = m.taken[:0]
}

// adopted accounts for a frame that was found in the stream.
func (m *metering) adopted(frame uint64, recs []Record) {
	if m.meter == nil {
		return
	}
	m.ask = appendCharges(m.ask[:0], recs)
	for _, one := range m.ask {
		_ = m.meter.Take(one.Tenant, one.Bytes, true) // which is never refused
	}
	m.meter.Stored(frame, m.ask)
}
