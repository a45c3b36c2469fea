package workflow

import (
	"bytes"
	"encoding/json"
	"time"
)

// RecordVersion is the version of the record format that this package writes.
// It reads this one and every older one: 1 was JSON, whose keys the tags name.
const RecordVersion = 2

// RecordKind says what a Record tells.
type RecordKind string

// The kinds of record, with the field of Record that each one fills.
const (
	KindStarted       RecordKind = "started"        // Started
	KindScheduled     RecordKind = "scheduled"      // Scheduled
	KindSucceeded     RecordKind = "succeeded"      // Succeeded
	KindFailed        RecordKind = "failed"         // Failed
	KindRetryAt       RecordKind = "retry_at"       // RetryAt
	KindUndoScheduled RecordKind = "undo_scheduled" // Scheduled
	KindUndoSucceeded RecordKind = "undo_succeeded" // Succeeded
	KindUndoFailed    RecordKind = "undo_failed"    // Failed
	KindUndoRetryAt   RecordKind = "undo_retry_at"  // RetryAt
	KindFinished      RecordKind = "finished"       // Finished
	KindDeadLettered  RecordKind = "dead_lettered"  // DeadLettered
	KindRedriven      RecordKind = "redriven"       // Redriven
	KindDropped       RecordKind = "dropped"        // Dropped
)

// Record is one fact in the history of an execution. The histories in the log
// are the truth; folding them in order gives back every execution as it was.
//
// Exactly one of the pointers is set, the one that Kind names. A record does not
// change once made, and its raw messages are never written to.
type Record struct {
	Version   int        `json:"v"`
	Kind      RecordKind `json:"kind"`
	Execution string     `json:"execution"`
	At        time.Time  `json:"at"`

	Started      *Started      `json:"started,omitempty"`
	Scheduled    *Scheduled    `json:"scheduled,omitempty"`
	Succeeded    *Succeeded    `json:"succeeded,omitempty"`
	Failed       *Failed       `json:"failed,omitempty"`
	RetryAt      *RetryAt      `json:"retry_at,omitempty"`
	Finished     *Finished     `json:"finished,omitempty"`
	DeadLettered *DeadLettered `json:"dead_lettered,omitempty"`
	Redriven     *Redriven     `json:"redriven,omitempty"`
	Dropped      *Dropped      `json:"dropped,omitempty"`
}

// Started opens an execution and pins it to what it runs.
type Started struct {
	Key        string  `json:"key"`     // what started it: the match id
	Rule       string  `json:"rule"`    // name of the rule
	Version    string  `json:"version"` // version of the rule
	Definition string  `json:"definition"`
	Origin     string  `json:"origin,omitempty"` // begins its idempotency keys; "" for most
	Match      Payload `json:"match,omitempty"`  // all that later templates need
}

// Payload is what the host keeps of a match, in a form of its own: this package does
// not look inside. It is not written to once made.
type Payload []byte

// MarshalJSON gives a payload that is JSON as it is, and another as a text in base64.
func (p Payload) MarshalJSON() ([]byte, error) {
	if len(p) == 0 || !json.Valid(p) {
		return json.Marshal([]byte(p))
	}
	return p, nil
}

// UnmarshalJSON takes any JSON for a payload, as histories of version 1 have them.
func (p *Payload) UnmarshalJSON(b []byte) error {
	*p = bytes.Clone(b)
	return nil
}

// Scheduled is the intent to run an action. It is committed before the action
// starts, so an effect outside never exists without a record.
type Scheduled struct {
	Step    string `json:"step"`
	Action  Action `json:"action"`
	Plugin  string `json:"plugin,omitempty"`
	Attempt int    `json:"attempt"`
	// Key is the idempotency key: the same for every attempt of the step.
	Key      string          `json:"key"`
	Args     json.RawMessage `json:"args,omitempty"` // evaluated
	Timeout  time.Duration   `json:"timeout,omitempty"`
	Deadline time.Time       `json:"deadline,omitzero"` // no retry is planned past it
}

// Succeeded says that an attempt did what it should, and holds its effects: they
// exist from the moment this record is committed, and not before.
type Succeeded struct {
	Step    string          `json:"step"`
	Attempt int             `json:"attempt"`
	Dropped bool            `json:"dropped,omitempty"` // the step found nothing to do
	Out     json.RawMessage `json:"out,omitempty"`
	Effects []Effect        `json:"effects,omitempty"`
	Digest  string          `json:"digest,omitempty"` // module that ran
	Usage   *Usage          `json:"usage,omitempty"`
	Calls   json.RawMessage `json:"calls,omitempty"` // host calls of the module, where they are recorded
}

// Failed says that an attempt failed.
type Failed struct {
	Step    string      `json:"step"`
	Attempt int         `json:"attempt"`
	Kind    FailureKind `json:"kind"`
	Message string      `json:"message"`
	// Retryable says that another attempt follows: the kind, the number of
	// attempts and the time all allow it. When false, the step has failed.
	Retryable bool            `json:"retryable,omitempty"`
	After     time.Duration   `json:"after,omitempty"` // shortest wait that the other side asked for
	Digest    string          `json:"digest,omitempty"`
	Usage     *Usage          `json:"usage,omitempty"`
	Calls     json.RawMessage `json:"calls,omitempty"` // as in Succeeded
}

// RetryAt sets the durable timer of the next attempt.
type RetryAt struct {
	Step    string    `json:"step"`
	Attempt int       `json:"attempt"` // the attempt that will start then
	At      time.Time `json:"at"`
}

// Finished closes an execution. No action of it starts afterwards, unless it is
// redriven.
type Finished struct {
	Status Status      `json:"status"`
	Errors []StepError `json:"errors,omitempty"` // in the order they happened
}

// DeadLettered keeps a failed execution for a person: everything needed to
// finish it by hand, or to redrive it.
type DeadLettered struct {
	Key        string      `json:"key"`
	Rule       string      `json:"rule"`
	Version    string      `json:"version"`
	Definition string      `json:"definition"`
	Match      Payload     `json:"match,omitempty"`
	Started    time.Time   `json:"started"`
	Status     Status      `json:"status"`
	Steps      []StepState `json:"steps,omitempty"` // those that were tried, in the order they were begun
	Errors     []StepError `json:"errors,omitempty"`
}

// Redriven sets a dead-lettered execution going again.
type Redriven struct {
	From RedriveFrom `json:"from"`
}

// RedriveFrom says where a redriven execution goes on.
type RedriveFrom string

// Where a redriven execution goes on.
const (
	FromStep  RedriveFrom = "step"  // nothing was undone: at the step that failed
	FromUndo  RedriveFrom = "undo"  // an undo failed: at the undos that are missing
	FromStart RedriveFrom = "start" // all is undone: at the first step, with new idempotency keys
)

// Dropped forgets a dead letter.
type Dropped struct {
	Reason DropReason `json:"reason"`
}

// DropReason says why a dead letter is forgotten.
type DropReason string

// The reasons.
const (
	DropDiscarded DropReason = "discarded" // somebody said so
	DropFull      DropReason = "full"      // it was the oldest of too many
)

// StepError is one error in the life of an execution.
type StepError struct {
	Step    string      `json:"step,omitempty"`
	Undo    bool        `json:"undo,omitempty"`
	Attempt int         `json:"attempt,omitempty"`
	Kind    FailureKind `json:"kind"`
	Message string      `json:"message"`
}

// StepState is what became of a step, for dead letters.
type StepState struct {
	Step     string          `json:"step"`
	State    string          `json:"state"` // done, failed, undone, undo_failed or unfinished
	Attempts int             `json:"attempts"`
	Args     json.RawMessage `json:"args,omitempty"` // of a step or undo that failed
	Out      json.RawMessage `json:"out,omitempty"`
}

// Usage is what an attempt used. Fuel is zero for what no guest did.
type Usage struct {
	Fuel       int64         `json:"fuel,omitempty"`
	Wall       time.Duration `json:"wall,omitempty"`
	PeakMemory int64         `json:"peak_memory,omitempty"`
	HostCalls  int           `json:"host_calls,omitempty"`
}

// EffectKind names what an Effect does.
type EffectKind string

// The effects, with the names that guests' effects have.
const (
	EffectEmit     EffectKind = "emit"
	EffectStateSet EffectKind = "state_set"
	EffectNotify   EffectKind = "notify"
	EffectKVSet    EffectKind = "kv_set"
)

// Effect is something that exists in the log once its record is committed. The
// host applies effects record by record, in order.
type Effect struct {
	Kind    EffectKind      `json:"kind"`
	Name    string          `json:"name"`              // event type, key or topic
	Subject string          `json:"subject,omitempty"` // of an emitted event
	Value   json.RawMessage `json:"value,omitempty"`   // JSON; nil on state_set deletes the key
	Expect  *uint64         `json:"expect,omitempty"`  // state version that must still hold
	Bytes   []byte          `json:"bytes,omitempty"`   // of kv_set; nil deletes the key
	Expires time.Time       `json:"expires,omitzero"`  // of kv_set: match time at which the value is gone; zero: never
}
