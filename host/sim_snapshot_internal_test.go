package host

import (
	"github.com/rhost/rhost/host/eventlog"
)

// snapshot goes on with a snapshot, or asks for one, or lets go of what the oldest
// that is kept does not need.
func (o *simOwner) snapshot() {
	l := o.lane
	switch {
	case o.job == nil && o.asked == nil && o.w.once(2):
		o.asked = make(chan error, 1)
		l.snaps.asked = append(l.snaps.asked, o.asked)
	case o.job == nil:
		if o.w.once(2) {
			o.release()
		}
	case o.sealed == nil:
		select {
		case <-o.job.acked:
		default:
			return
		}
		s, err := l.seal(simCtx, o.job)
		if o.sealed = s; err != nil {
			o.snapshotEnds(err)
		}
	case !o.kept:
		if err := l.keepSealed(simCtx, o.sealed); err != nil {
			o.snapshotEnds(err)
			return
		}
		o.kept = true
	default:
		o.snapshotEnds(l.noteSealed(simCtx, o.sealed))
	}
}

func (o *simOwner) snapshotEnds(err error) {
	end := snapshotEnd{job: o.job, err: err}
	if err == nil {
		end.note = o.sealed.note
		o.say("publishes a snapshot of %v and frame %d of RUN", end.note.position(), end.note.Run)
	} else {
		o.say("has no snapshot: %v", err)
	}
	o.lane.onSnapshot(end)
	o.job, o.sealed, o.kept, o.asked = nil, nil, false, nil
}

// release lets go of what no kept snapshot needs.
func (o *simOwner) release() {
	notes, err := o.lane.snaps.store.NewestSnapshots(simCtx, keptSnapshots)
	if err != nil || len(notes) < 2 {
		return
	}
	ev, run := eventlog.Position{Frame: 1 << 60}, uint64(1<<60)
	for _, n := range notes {
		note, err := readNote(n.body)
		if n.err != nil || err != nil {
			return
		}
		if note.position().Compare(ev) < 0 {
			ev = note.position()
		}
		run = min(run, note.Run)
	}
	o.g.ev.mustRead(o.w, ev.Frame)
	o.g.run.mustRead(o.w, run)
	err = o.log.Release(simCtx, ev, run)
	if err == nil {
		o.w.did["the start of a log was released"]++
	}
	o.say("releases EV below %v and RUN below %d: %v", ev, run, err)
}

func (h *simHistory) mustRead(w *simWorld, to uint64) {
	if err := h.read(to); err != nil {
		w.broken("a stream is damaged: %v", err)
	}
}

// ahead plants a snapshot that does not wait for its batch.
func (o *simOwner) ahead() {
	l := o.lane
	o.job.capture.tail.run = o.log.RunLog().Tail()
	o.job.capture.tailBefore = nil
	close(o.job.acked)
	for _, b := range append([]*batch{o.batch, l.flying}, l.outbox.full...) {
		if b != nil && b.snap == o.job {
			b.snap = nil
		}
	}
}
