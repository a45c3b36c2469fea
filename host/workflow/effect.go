package workflow

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// maxEffect is how large the value of an emitted event or notification may be.
// An event has 1 MiB in all, attributes included.
const maxEffect = 900 << 10

// inLog decides a step whose only effect is in the log: it has happened when
// the record is committed.
func inLog(x *execution, step string, a Action, attempt int, args json.RawMessage, undo bool, now time.Time) Record {
	effect, err := effectOf(a, args)
	if err != nil {
		return record(x, now, undo, Record{Kind: KindFailed, Failed: &Failed{
			Step: step, Attempt: attempt, Kind: FailInvalid, Message: err.Error(),
		}})
	}
	return record(x, now, undo, Record{Kind: KindSucceeded, Succeeded: &Succeeded{
		Step: step, Attempt: attempt, Effects: []Effect{effect},
	}})
}

// effectOf reads the evaluated arguments of an emit or notify step.
func effectOf(a Action, args json.RawMessage) (Effect, error) {
	var in struct {
		Type    *string         `json:"type"`
		Subject *string         `json:"subject"`
		Data    json.RawMessage `json:"data"`
		Topic   *string         `json:"topic"`
		With    json.RawMessage `json:"with"`
	}
	if err := json.Unmarshal(args, &in); err != nil {
		return Effect{}, fmt.Errorf("%s: type, subject and topic must come out as text: %w", a, err)
	}
	var e Effect
	if a == ActionEmit {
		e = Effect{Kind: EffectEmit, Value: in.Data, Name: text(in.Type), Subject: text(in.Subject)}
	} else {
		e = Effect{Kind: EffectNotify, Value: in.With, Name: text(in.Topic)}
		if e.Value == nil {
			e.Value = json.RawMessage("null")
		}
	}
	return e, e.check()
}

// check refuses what must not reach the log.
func (e Effect) check() error {
	switch {
	case e.Name == "":
		return fmt.Errorf("%s: the name is empty", e.Kind)
	case e.Kind == EffectEmit && strings.HasPrefix(e.Name, "rhost."):
		return fmt.Errorf("emit: type %q is reserved for the host; use another prefix than rhost.", e.Name)
	case e.Kind == EffectNotify && reservedTopic(e.Name):
		return fmt.Errorf("notify: topic %q is reserved for the host; use another name", e.Name)
	case len(e.Value) > maxEffect:
		return fmt.Errorf("%s %s: value of %d bytes is too large; at most %d are allowed", e.Kind, e.Name, len(e.Value), maxEffect)
	}
	return nil
}

// reservedTopic reports whether only the host may send to the topic.
func reservedTopic(name string) bool {
	for _, prefix := range []string{"reactor:", "tenant:", "executions:"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// EffectID names the i-th effect of a Succeeded record: the same whenever the
// record is read, and of no other effect. It serves as the id of an emitted
// event.
func (r Record) EffectID(i int) string {
	undo := ""
	if r.undo() {
		undo = "/undo"
	}
	return fmt.Sprintf("%s/%s%s/%d/%d", r.Execution, r.Succeeded.Step, undo, r.Succeeded.Attempt, i)
}
