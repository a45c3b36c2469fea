package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/host/workflow"
)

// The lane asks for room before it decides that a step has succeeded, so that what
// the tenant has no room for is a failure of the step, which names the quota, and
// not something that is lost later. What was decided has its room: a change of state
// because it is applied at once, an emitted event because room is promised to it until
// it is in EV.

// emitEnvelope bounds what an emitted event counts beside what its rule says: its id,
// source, time and depth.
const emitEnvelope = 1 << 10

// roomOf bounds what an emitted event counts.
func roomOf(e workflow.Effect) int64 {
	return int64(len(e.Name) + len(e.Subject) + len(e.Value) + emitEnvelope)
}

// allowance is what was let in for steps whose records decide has not seen yet.
type allowance struct {
	emits, state int64
	made         int64 // promised to the events that came of it
}

// admitEffects is workflow.Options.Admit: it reports that there is no room for what a
// step wants to emit and to keep.
func (l *lane) admitEffects(effects []workflow.Effect) error {
	if l.account == nil {
		return nil
	}
	var emits int64
	for i := range effects {
		if effects[i].Kind == workflow.EffectEmit {
			emits += roomOf(effects[i])
		}
	}
	grow := l.growth(effects)
	if err := l.stateFits(grow); err != nil {
		return err
	}
	if err := l.account.promise(l.tenant, emits, false); err != nil {
		return err
	}
	l.allowed.emits += emits
	l.allowed.state += grow
	return nil
}

// growth is by how much effects change what state and kv hold.
func (l *lane) growth(effects []workflow.Effect) (grow int64) {
	type place struct {
		kv  bool
		key string
	}
	var sizes map[place]int64 // of what was written before by the same step
	for i := range effects {
		e := &effects[i]
		at := place{e.Kind == workflow.EffectKVSet, e.Name}
		var size int64
		switch e.Kind {
		case workflow.EffectStateSet:
			size = stateValue{json: e.Value}.held(e.Name)
		case workflow.EffectKVSet:
			if e.Bytes != nil {
				size = kvValue{bytes: e.Bytes}.held(e.Name)
			}
		default:
			continue
		}
		was, ok := sizes[at]
		if !ok {
			was = l.state.heldOf(at.kv, at.key)
		}
		if sizes == nil {
			sizes = make(map[place]int64)
		}
		sizes[at] = size
		grow += size - was
	}
	return grow
}

// stateFits reports that state may not grow by so much. Values that are over are let
// go of first.
func (l *lane) stateFits(grow int64) error {
	if grow <= 0 {
		return nil
	}
	limit := l.account.quota(l.tenant).State
	used := l.state.held() + l.allowed.state
	if limit == 0 || used+grow <= int64(limit) {
		return nil
	}
	l.state.kv.sweep(l.matcher.Now())
	used = l.state.held() + l.allowed.state
	return l.account.stateFits(l.tenant, used, grow)
}

// applied ends what admitEffects let in: state has changed, and emitted events have
// the room that they need.
func (l *lane) applied() {
	if l.allowed != (allowance{}) {
		l.promised(l.allowed.made - l.allowed.emits)
		l.allowed = allowance{}
	}
}

// promised changes how much room emitted events have that are not in EV.
func (l *lane) promised(n int64) {
	if err := l.account.promise(l.tenant, n, true); err != nil {
		panic("host: room that must be given was refused") // which cannot be
	}
}

// sentOne gives back the room of an emitted event that is in EV, where it counts by
// itself. It counts for the rate, too, and so holds back who sends from outside.
func (l *lane) sentOne(e *emitted) {
	if e.tick || l.account == nil {
		return
	}
	l.account.charge(l.tenant, e.room-emitEnvelope)
	l.promised(-e.room)
}

// promiseAgain keeps room for the emitted events that a recovery found in RUN.
func (l *lane) promiseAgain() {
	for i := range l.emits {
		e := &l.emits[i]
		e.room = int64(len(e.event.Type)+len(e.event.Subject)+len(e.event.Data)) + emitEnvelope
		l.promised(e.room)
	}
}

// recoverAccount completes the account of what tenants hold once the log has been
// replayed.
func (l *lane) recoverAccount(ctx context.Context) error {
	if l.account == nil {
		return nil
	}
	l.promiseAgain()
	if err := l.account.catchUp(ctx, l.log); err != nil {
		return err
	}
	return l.account.checkPayloads(ctx, l.log)
}

// foldPayload counts the payload of an execution that is kept beside its history.
func (l *lane) foldPayload(ctx context.Context, rec workflow.Record) error {
	if rec.Started == nil || !namesBlob(rec.Started.Match) {
		return nil
	}
	_, blob, err := parsePayload(rec.Started.Match)
	if err != nil || blob == "" {
		return err
	}
	b, err := l.log.GetBlob(ctx, blob)
	if errors.Is(err, eventlog.ErrNotFound) {
		return nil // an old one, whose execution is long over
	}
	if err != nil {
		return fmt.Errorf("payload of %s: %w", rec.Execution, err)
	}
	l.account.keeps(l.tenant, blob, len(b))
	return nil
}

// namesBlob reports whether a payload may be one that only names a blob, which is
// short.
func namesBlob(raw workflow.Payload) bool {
	const most = 1 << 10
	return len(raw) < most && bytes.Contains(raw, []byte("sha256:"))
}
