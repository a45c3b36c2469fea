package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxEffect is how large the value of an effect may be. Its record must fit into
// one frame of the log, which holds a little more.
const maxEffect = 800_000

// inLog decides a step whose only effect is in the log: it has happened when
// the record is committed.
func inLog(x *execution, step string, a Action, attempt int, args json.RawMessage, undo bool, now time.Time) Record {
	effect, err := effectOf(a, args)
	if err != nil {
		return record(x, now, undo, Record{Kind: KindFailed, Failed: &Failed{
			Step: step, Attempt: attempt, Kind: FailInvalid, Message: short(err.Error()),
		}})
	}
	return record(x, now, undo, Record{Kind: KindSucceeded, Succeeded: &Succeeded{
		Step: step, Attempt: attempt, Effects: []Effect{effect},
	}})
}

// effectOf reads the evaluated arguments of an emit or notify step.
func effectOf(a Action, args json.RawMessage) (Effect, error) {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(args, &in); err != nil {
		return Effect{}, fmt.Errorf("%s: read the arguments: %w", a, err)
	}
	e := Effect{Kind: EffectEmit, Value: in["data"]}
	name := "type"
	if a == ActionNotify {
		e = Effect{Kind: EffectNotify, Value: in["with"]}
		name = "topic"
		if e.Value == nil {
			e.Value = json.RawMessage("null")
		}
	}
	var errName, errSubject error
	e.Name, errName = text(in, a, name)
	e.Subject, errSubject = text(in, a, "subject")
	if err := errors.Join(errName, errSubject); err != nil {
		return Effect{}, err
	}
	return e, e.check()
}

// check refuses what must not reach the log.
func (e Effect) check() error {
	switch {
	case e.Name == "":
		return fmt.Errorf("%s: the name is empty", e.Kind)
	case e.Kind == EffectEmit && strings.HasPrefix(e.Name, "rhost."):
		return fmt.Errorf(`emit: type %q is reserved for the host; give it another prefix than "rhost."`, e.Name)
	case e.Kind == EffectNotify && reservedTopic(e.Name):
		return fmt.Errorf("notify: topic %q is reserved for the host; use another name", e.Name)
	case len(e.Value) > maxEffect:
		return fmt.Errorf("%s %s: value of %d bytes is too large; at most %d are allowed", e.Kind, e.Name, len(e.Value), maxEffect)
	}
	return nil
}

// reservedTopic reports whether only the host may send to the topic.
func reservedTopic(name string) bool {
	for _, prefix := range []string{"rhost:", "reactor:", "tenant:", "executions:"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// text returns the text under key, "" when there is none.
func text(args map[string]json.RawMessage, a Action, key string) (string, error) {
	raw, ok := args[key]
	if !ok {
		return "", nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return "", fmt.Errorf("%s: read %s: %w", a, key, err)
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%s: %s is %s, which is no text", a, key, raw)
	}
	return s, nil
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
