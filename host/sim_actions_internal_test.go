package host

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/rhost/rhost/host/notify"
	"github.com/rhost/rhost/host/workflow"
)

// simCall is a command that dispatch has.
type simCall struct {
	cmd    workflow.Command
	since  uint64           // the end of RUN, as the owner knew it, when the command was started
	result *workflow.Result // it was carried out, and the lane has not heard of it
}

// simDone is an action that somebody outside has seen.
type simDone struct {
	id      string // of the command
	attempt int
	key     string
	since   uint64
	owner   uint64
}

// callAt draws a call, one that was carried out or not; -1: there is none.
func (o *simOwner) callAt(done bool) int {
	n := len(o.calls)
	if n == 0 {
		return -1
	}
	from := o.w.pick(n)
	for i := range n {
		if at := (from + i) % n; (o.calls[at].result != nil) == done {
			return at
		}
	}
	return -1
}

// call carries a command out.
func (o *simOwner) call() {
	at := o.callAt(false)
	if at < 0 {
		return
	}
	c := o.calls[at]
	o.g.calls = append(o.g.calls, simDone{commandID(c.cmd.Execution, c.cmd.Step, c.cmd.Undo), c.cmd.Attempt, c.cmd.Key, c.since, o.id})
	res := o.act(c.cmd)
	if o.w.trace != nil {
		o.say("runs %s attempt %d: failure %v", c.cmd.Key, c.cmd.Attempt, res.Failure)
	}
	c.result = &res
}

// hear tells the lane of a result.
func (o *simOwner) hear() {
	at := o.callAt(true)
	if at < 0 {
		return
	}
	c := o.calls[at]
	o.calls = append(o.calls[:at:at], o.calls[at+1:]...)
	o.say("hears of %s", c.cmd.Key)
	o.check(o.lane.onResult(simCtx, *c.result))
	if len(o.lane.turns) > 0 {
		o.w.did["calls took turns over a key"]++
	}
}

// act is the plugins. Each fails now and then.
func (o *simOwner) act(cmd workflow.Command) workflow.Result {
	w := o.w
	if !w.sound {
		switch w.pick(8) {
		case 0:
			return cmd.Fail(workflow.FailRetry, "again")
		case 1:
			res := cmd.Fail(workflow.FailUnavailable, "away")
			res.Failure.After = time.Duration(w.pick(20)) * time.Second
			if w.real { // where seconds take their time
				res.Failure.After /= 100
			}
			return res
		case 2:
			return cmd.Fail(workflow.FailTimeout, "late")
		}
	}
	var in struct {
		K string `json:"k"`
	}
	if len(cmd.Args) > 0 {
		if err := json.Unmarshal(cmd.Args, &in); err != nil {
			w.broken("the arguments of %s: %v", cmd.Key, err)
		}
	}
	return o.plugin(cmd, in.K)
}

func (o *simOwner) plugin(cmd workflow.Command, k string) workflow.Result {
	w := o.w
	switch cmd.Plugin {
	case "count":
		return o.count(cmd, "n/"+k)
	case "keep":
		res := cmd.Answer(nil)
		res.Dropped = w.once(6)
		res.Effects = []workflow.Effect{
			{Kind: workflow.EffectKVSet, Name: "kv/" + k, Bytes: []byte(cmd.Key)},
			{Kind: workflow.EffectStateSet, Name: "last", Value: json.RawMessage(fmt.Sprintf("%q", cmd.Execution))},
		}
		return res
	case "book":
		res := cmd.Answer(json.RawMessage(`{"booked":true}`))
		res.Effects = []workflow.Effect{
			{Kind: workflow.EffectNotify, Name: "booked", Value: json.RawMessage(fmt.Sprintf("%q", cmd.Key))},
			{Kind: workflow.EffectEmit, Name: "booked", Value: json.RawMessage(`{"k":"x"}`)},
		}
		return res
	case "pay", "cancel":
		if w.once(3) {
			return cmd.Fail(workflow.FailPermanent, "no")
		}
	}
	return cmd.Answer(nil)
}

// count adds one to a number of the state, by compare-and-set.
func (o *simOwner) count(cmd workflow.Command, key string) workflow.Result {
	value, version, ok := o.lane.state.get(key)
	n := 0
	if ok {
		if err := json.Unmarshal(value, &n); err != nil {
			o.w.broken("the state of %s: %v", key, err)
		}
	} else {
		version = 0
	}
	out := json.RawMessage(fmt.Sprint(n + 1))
	res := cmd.Answer(json.RawMessage(fmt.Sprintf(`{"n":%d}`, n+1)))
	res.Effects = []workflow.Effect{{Kind: workflow.EffectStateSet, Name: key, Value: out, Expect: &version}}
	return res
}

// publish notes what whoever watches was told.
func (g *simGroup) publish(list []notify.Message) {
	for _, m := range list {
		if m.Topic != notify.TopicActions {
			g.told[m.Topic+" "+m.Match+" "+string(m.Payload)]++
		}
	}
}
