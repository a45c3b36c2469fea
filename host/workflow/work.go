package workflow

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// work is one turn of the engine on one execution: what it decided so far.
type work struct {
	e     *Engine
	x     *execution
	now   time.Time
	match any // decoded payload, once somebody asked
	out   Output
}

func (e *Engine) work(x *execution, now time.Time) *work {
	e.change(x)
	return &work{e: e, x: x, now: now}
}

// run decides until x waits for something.
func (w *work) run() {
	w.define()
	for {
		recs := decide(w.x, w.now, w.env)
		if len(recs) == 0 {
			break
		}
		for _, r := range recs {
			w.add(w.admitted(r))
		}
	}
	if at, ok := w.x.timer(); ok {
		w.e.timers.push(at, w.x)
	}
}

// admitted is what becomes of a record that was decided: a step that is done with its
// record fails where there is no room for its effect.
func (w *work) admitted(r Record) Record {
	s := r.Succeeded
	if s == nil {
		return r
	}
	if err := w.e.admitEffects(s.Effects); err != nil {
		return record(w.x, w.now, r.undo(), Record{Kind: KindFailed, Failed: &Failed{
			Step: s.Step, Attempt: s.Attempt, Kind: FailQuota, Message: short(err.Error()),
		}})
	}
	return r
}

// define finds the definition of an execution that came from the log.
func (w *work) define() {
	x := w.x
	if x.def != nil || w.e.opt.Definition == nil {
		return
	}
	def, ok := w.e.opt.Definition(x.info.Rule, x.info.Version, x.info.Definition)
	if !ok || def.Digest() != x.info.Definition {
		return
	}
	for _, s := range x.steps {
		if def.step(s.id) == nil {
			return // the history is of another definition, whatever it says
		}
	}
	x.def = def
}

// add puts r into the history of x, with the command it stands for.
func (w *work) add(r Record) {
	w.out.Records = append(w.out.Records, r)
	if err := w.x.apply(r); err != nil {
		panic("workflow: decided what cannot follow: " + err.Error())
	}
	switch r.Kind {
	case KindScheduled, KindUndoScheduled:
		w.out.Commands = append(w.out.Commands, w.x.command(w.x.find(r.Scheduled.Step), r.undo()))
	case KindFinished, KindDeadLettered:
		w.e.settle(w.x, r)
		w.out.Records = append(w.out.Records, w.e.trim(w.now)...)
	default:
	}
}

// conclude turns a result into a record.
func (w *work) conclude(s *stepState, res Result) Record {
	r := res.Record()
	if f := r.Failed; f != nil {
		f.Retryable = w.retryable(s, res.Undo, Failure{Kind: f.Kind, Message: f.Message, After: f.After})
	}
	return record(w.x, w.now, res.Undo, r)
}

// Record is what a history keeps of the result, without the execution, the time, and
// whether another attempt follows a failure. A result that the log cannot hold is a
// failure.
func (r Result) Record() Record {
	if r.Failure == nil {
		if err := r.check(); err != nil {
			r.Failure = &Failure{Kind: FailLimit, Message: err.Error()}
		}
	}
	if r.Failure == nil {
		return Record{Kind: KindSucceeded, Succeeded: &Succeeded{
			Step: r.Step, Attempt: r.Attempt, Dropped: r.Dropped, Out: r.Out,
			Effects: r.Effects, Digest: r.Digest, Usage: r.Usage, Calls: r.Calls,
		}}
	}
	f := *r.Failure
	if f.Kind == "" {
		f.Kind = FailInternal
	}
	return Record{Kind: KindFailed, Failed: &Failed{
		Step: r.Step, Attempt: r.Attempt, Kind: f.Kind, Message: short(f.Message), After: f.After,
		Digest: r.Digest, Usage: r.Usage, Calls: r.Calls,
	}}
}

// short bounds a message, which is repeated wherever the failure is told of.
func short(msg string) string {
	const limit = 2 << 10
	if len(msg) > limit {
		msg = msg[:limit] + " …"
	}
	return strings.ToValidUTF8(msg, "\uFFFD")
}

// maxResult bounds what one result adds to the log: its record must fit into one
// frame.
const maxResult = 800_000

// check refuses a result that cannot be written to the log.
func (r Result) check() error {
	size := len(r.Out)
	if len(r.Out) > 0 && !json.Valid(r.Out) {
		return fmt.Errorf("the output is not JSON")
	}
	for _, f := range r.Effects {
		size += len(f.Name) + len(f.Subject) + len(f.Value) + base64.StdEncoding.EncodedLen(len(f.Bytes))
		if len(f.Value) > 0 && !json.Valid(f.Value) {
			return fmt.Errorf("the value of %s %s is not JSON", f.Kind, f.Name)
		}
		if err := f.check(); err != nil {
			return err
		}
	}
	if size > maxResult {
		return fmt.Errorf("output and effects of %d bytes are too large; at most %d are allowed", size, maxResult)
	}
	return nil
}

// retryable reports whether another attempt follows a failure.
func (w *work) retryable(s *stepState, undo bool, f Failure) bool {
	w.define()
	if w.x.def == nil {
		return false
	}
	t := s.task(undo)
	r := policy(w.x.def.step(s.id), undo).Retry
	set := t.attempt - t.base
	if !r.allows(f.Kind, set) {
		return false
	}
	if r.Within == 0 {
		return true
	}
	wait := max(r.wait(set, seed(w.x.id, s.id, undo, t.attempt)), f.After)
	return !w.now.Add(wait).After(t.since.Add(r.Within))
}

// env is what templates of x see.
func (w *work) env() (Env, error) {
	if w.match == nil && w.e.opt.Match != nil {
		m, err := w.e.opt.Match(w.x.info.Match)
		if err != nil {
			return Env{}, fmt.Errorf("read the match: %w", err)
		}
		w.match = m
	}
	steps := make(map[string]any, len(w.x.steps))
	for _, s := range w.x.steps {
		switch {
		case s.order > 0:
			var out any
			if len(s.out) > 0 {
				if err := json.Unmarshal(s.out, &out); err != nil {
					return Env{}, fmt.Errorf("read the output of step %s: %w", s.id, err)
				}
			}
			steps[s.id] = map[string]any{"out": out}
		case s.err != nil:
			steps[s.id] = map[string]any{"error": map[string]any{"kind": string(s.err.Kind), "message": s.err.Message}}
		}
	}
	return Env{Match: w.match, Steps: steps}, nil
}

// timer returns when x goes on by itself.
func (x *execution) timer() (time.Time, bool) {
	if x.status != "" {
		return time.Time{}, false
	}
	for _, s := range x.steps {
		for _, t := range []*task{&s.do, &s.undo} {
			if t.state == waiting {
				return t.at, true
			}
		}
	}
	return time.Time{}, false
}

// command returns the command of a task that is running.
func (x *execution) command(s *stepState, undo bool) Command {
	t := s.task(undo)
	act := policy(x.def.step(s.id), undo)
	return Command{
		Execution: x.id, Match: x.info.Key, Rule: x.info.Rule, Version: x.info.Version,
		Step: s.id, Undo: undo, Attempt: t.attempt, Key: x.key(s, undo),
		Action: act.Action, Plugin: act.Plugin, Args: t.args, Timeout: act.Timeout, Payload: x.info.Match,
	}
}

// settle moves x to where r leaves it.
func (e *Engine) settle(x *execution, r Record) {
	switch {
	case r.Kind == KindDeadLettered:
		delete(e.open, x.id)
		e.dead.add(letter{x: x, at: r.At})
	case r.Finished.Status == StatusDone, r.Finished.Status == StatusDropped:
		delete(e.open, x.id)
		e.recent.add(x.id)
	}
}

// trim drops the oldest of too many dead letters.
func (e *Engine) trim(now time.Time) []Record {
	var recs []Record
	for _, x := range e.dead.trim() {
		e.recent.add(x.id)
		recs = append(recs, dropped(x, DropFull, now))
	}
	return recs
}
