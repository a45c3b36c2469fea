package abi

import (
	"encoding/json"
	"time"

	"github.com/rhost/rhost/event"
)

// Call is what one invocation of a guest is given. The engine borrows it for
// the length of the call and changes nothing in it.
type Call struct {
	Match   Match           // the match that caused the call
	Event   event.Event     // the event that completed the match; zero when time did
	With    json.RawMessage // arguments of the step, evaluated: a JSON object, or nil
	Config  json.RawMessage // operator's settings of the plugin: a JSON object, or nil
	Attempt int             // 1 for the first try
	// Export names the function to call of a guest that was written for another
	// host and has several. "" is the one that stands out; other guests have one.
	Export string
	// Key is the idempotency key of the step. It is the same for every attempt
	// and after a restart, so that an outside system can recognise a repeat.
	Key string
}

// Match says which rule matched and what it bound. Bind holds event ids, as
// `rhost match` prints them; arguments that need more of an event are passed
// through With.
type Match struct {
	Tenant  string              `json:"tenant"`
	Rule    string              `json:"rule"`
	Version string              `json:"version"`
	ID      string              `json:"id"`
	At      time.Time           `json:"at"`
	Trigger string              `json:"trigger"` // event id, or "time"
	Bind    map[string][]string `json:"bind"`
}

// Result is the verdict a guest returns.
type Result int32

// The results, with the numbers of ABI v1.
const (
	ResultOK    Result = 0 // effects are committed
	ResultFail  Result = 1 // permanent failure: no effects, no retry
	ResultRetry Result = 2 // failed for now: no effects, the step's retry policy decides
	ResultDrop  Result = 3 // nothing to do: no effects, the step counts as done
)

func (r Result) String() string {
	switch r {
	case ResultOK:
		return "ok"
	case ResultFail:
		return "fail"
	case ResultRetry:
		return "retry"
	case ResultDrop:
		return "drop"
	}
	return "unknown"
}

// Reply is what a call that ran to its end gave back. A call that did not is a
// sandbox.Fault and has no Reply.
type Reply struct {
	Result  Result
	Output  json.RawMessage // the step's output; nil when the guest gave none
	Message string          // why, for ResultFail and ResultRetry
	Effects []Effect        // in the order they were asked for; empty unless ResultOK
}

// EffectKind names what an Effect does.
type EffectKind string

// The effects a guest may ask for.
const (
	EffectEmit     EffectKind = "emit"      // a new event
	EffectStateSet EffectKind = "state_set" // a value in the tenant's state
	EffectNotify   EffectKind = "notify"    // a message to a topic
	EffectKVSet    EffectKind = "kv_set"    // bytes under a key
)

// Effect is something a call wants done. Effects are buffered while the guest
// runs and committed together with its result, or not at all.
type Effect struct {
	Kind  EffectKind      `json:"kind"`
	Name  string          `json:"name"`            // event type, key or topic
	Value json.RawMessage `json:"value,omitempty"` // JSON; nil on state_set deletes the key
	// Expect, when not nil, is the state version the guest read before a
	// compare-and-set; 0 means the key was absent. A commit whose expectation no
	// longer holds reruns the call.
	Expect *uint64 `json:"expect,omitempty"`
	// Bytes and TTL are of kv_set, which has no Value: what is kept, nil to delete
	// the key, and for how long after the match's time; 0 is for ever.
	Bytes []byte        `json:"bytes,omitempty"`
	TTL   time.Duration `json:"ttl,omitempty"`
}
