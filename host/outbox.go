package host

import (
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/host/workflow"
)

// maxBatch is how much one progress commit carries. It stays below the largest
// frame, with room for the progress record and the frame's own bytes.
const maxBatch = 900_000

// recordOverhead is what a record costs in a frame beside its key and body.
const recordOverhead = 32

// batch is what one progress commit writes, and what happens once it is on disk.
type batch struct {
	recs []eventlog.RunRecord
	size int
	to   eventlog.Position // every record of EV up to here is decided within this batch or before it

	commands []workflow.Command
	messages []notify.Message
	emits    []emitted
	saved    []chan<- struct{} // closed
	snap     *snapshotJob      // of the state that this batch ends with
}

func (b *batch) decided() bool {
	return len(b.recs)+len(b.commands)+len(b.messages)+len(b.saved) > 0 || b.snap != nil
}

// outbox cuts what is decided into batches. A batch that is closed in the
// middle of one record's outputs stands for the position before that record:
// after a crash the record is decided again, and what is known is left out.
type outbox struct {
	full  []*batch // closed, oldest first
	cur   batch
	bytes int               // of all batches
	to    eventlog.Position // reached, whether or not a batch says so
	saved eventlog.Position // given out for a commit
}

// add appends one record, which must fit into a frame.
func (o *outbox) add(r eventlog.RunRecord) {
	n := len(r.Key) + len(r.Body) + recordOverhead
	if o.cur.size+n > maxBatch {
		o.close()
	}
	o.cur.recs = append(o.cur.recs, r)
	o.cur.size += n
	o.bytes += n
}

// command, publish, emit and tell wait for what was added so far to be on disk.
func (o *outbox) command(c ...workflow.Command) { o.cur.commands = append(o.cur.commands, c...) }

func (o *outbox) publish(m notify.Message) { o.cur.messages = append(o.cur.messages, m) }

func (o *outbox) emit(e ...emitted) { o.cur.emits = append(o.cur.emits, e...) }

func (o *outbox) tell(saved chan<- struct{}) { o.cur.saved = append(o.cur.saved, saved) }

// mark ends a batch with all that was decided so far, for a snapshot of it.
func (o *outbox) mark(j *snapshotJob) {
	o.cur.snap = j
	o.close()
}

// reached says that everything up to pos is decided.
func (o *outbox) reached(pos eventlog.Position) {
	o.to = pos
	o.cur.to = pos
}

// stale reports whether there is progress that no commit has recorded.
func (o *outbox) stale() bool { return o.to != o.saved }

func (o *outbox) size() int { return o.bytes }

func (o *outbox) empty() bool { return len(o.full) == 0 && !o.cur.decided() && len(o.cur.emits) == 0 }

// next gives out the oldest batch, complete with its progress record, or nil
// when nothing needs a commit. With progress set, progress alone does.
func (o *outbox) next(progress bool) *batch {
	if len(o.full) == 0 {
		if !o.cur.decided() && (!progress || !o.stale()) {
			return nil
		}
		o.close()
	}
	b := o.full[0]
	o.full[0] = nil
	o.full = o.full[1:]
	o.bytes -= b.size
	if b.to != o.saved && b.to != (eventlog.Position{}) {
		o.saved = b.to
		b.recs = append(b.recs, progressRecord(b.to))
	}
	return b
}

func (o *outbox) close() {
	closed := o.cur
	o.full = append(o.full, &closed)
	o.cur = batch{to: closed.to}
}
