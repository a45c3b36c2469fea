package eventlog

import "time"

// draft is the frame being built.
type draft struct {
	buf     []byte // reused: the connection copies what it sends
	records []Record
	at      int64 // stamp of the last record
}

// build makes c.group into a frame: it finds duplicates, assigns lane
// sequences and stamps, and encodes. A group of duplicates alone has no bytes.
func (c *Committer) build(h *header) ([]byte, error) {
	d := &c.draft
	count := 0
	for _, q := range c.group {
		count += len(q.recs)
	}
	d.buf = append(d.buf[:0], make([]byte, headerSize)...)
	d.records = make([]Record, 0, count)
	d.at = max(c.at, c.group[0].at)
	c.metering.taken = c.metering.taken[:0]
	h.base = d.at
	c.dedup.open(h.seq, h.first, d.at)
	for _, q := range c.group {
		c.dedup.warm(q.recs)
	}
	for _, q := range c.group {
		c.admitAndAdd(h, q)
	}
	if len(d.records) == 0 {
		c.rollBack()
		return nil, nil
	}
	c.lanes.mentionStale(h.seq, min(mentionRoom, c.log.cfg.MaxFrame-len(d.buf)-c.lanes.tableSize()))
	h.table, h.count, h.lanes = uint32(len(d.buf)), uint32(len(d.records)), uint32(len(c.lanes.byKey))
	d.buf = c.lanes.appendTable(d.buf)
	h.seal(d.buf)
	return d.buf, nil
}

// admitAndAdd adds a request that the meter lets in. Of one that it does not the
// answer is why.
func (c *Committer) admitAndAdd(h *header, q *request) {
	if c.metering.meter == nil {
		c.add(h, q)
		return
	}
	var taken []Charge
	if taken, q.refusal = c.admit(q); q.refusal != nil {
		return
	}
	from := len(c.draft.records)
	c.add(h, q)
	c.settled(taken, q, from)
}

// add puts the records of one request into the draft and notes its result.
func (c *Committer) add(h *header, q *request) {
	d := &c.draft
	since := max(q.at-d.at, 0)
	at := d.at + since
	ingest := time.Unix(0, at).UTC()
	q.res = Result{}
	for i := range q.recs {
		r := q.recs[i]
		index := uint32(len(d.records))
		if r.Dedup != (DedupKey{}) && c.dedup.enabled() {
			if first, ok := c.dedup.find(&r.Dedup); ok {
				q.res.Duplicates = append(q.res.Duplicates, i)
				q.res.raise(first)
				continue
			}
			c.dedup.add(&r.Dedup, index)
		}
		entry, seq := c.lanes.next(r.Tenant, r.Lane)
		r.LaneSeq, r.Ingest = seq, ingest
		d.buf = appendRecord(d.buf, &r, entry, since)
		d.records = append(d.records, r)
		d.at, since = at, 0
		q.res.raise(Position{Frame: h.seq, Index: index})
	}
}

func (r *Result) raise(p Position) {
	if p.Compare(r.Last) > 0 {
		r.Last = p
	}
}

// rollBack takes back what build noted for a frame that was not stored.
func (c *Committer) rollBack() {
	c.lanes.rollBack()
	c.dedup.rollBack()
	c.metering.rollBack()
}

// settle makes a stored draft part of the log: followers see it from here on.
func (c *Committer) settle(h *header) {
	c.lanes.settle(h.seq, int(h.length))
	c.dedup.settle()
	c.at = c.draft.at
	c.noteKeep()
	c.log.recent.push(&Frame{Seq: h.seq, Records: c.draft.records}, int(h.length))
	c.metering.stored(h.seq)
}

// adopt takes over a frame of this process found in the stream.
func (c *Committer) adopt(h *header, b []byte) error {
	f, err := decodeEventFrame(b)
	if err != nil {
		return c.out.s.corrupt(h.seq, err.Error())
	}
	c.takeOver(f)
	c.log.recent.push(f.frame(), len(b))
	c.metering.adopted(h.seq, f.records)
	return nil
}

// takeOver continues the lanes, the duplicates and the clock after f.
func (c *Committer) takeOver(f *eventFrameData) {
	c.lanes.adopt(f)
	c.dedup.adopt(f)
	c.at = max(c.at, f.records[len(f.records)-1].Ingest.UnixNano())
	c.noteKeep()
}

// noteKeep notes how far the log may be purged: opening it needs the frames that
// name the lanes, those with the duplicates to recognise, and the last one.
func (c *Committer) noteKeep() {
	keep := max(c.out.tail.seq, 1)
	if oldest := c.lanes.oldest(); oldest > 0 {
		keep = min(keep, oldest)
	}
	if len(c.dedup.frames) > 0 {
		keep = min(keep, c.dedup.frames[0].seq)
	}
	c.keep.Store(keep)
}
