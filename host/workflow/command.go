package workflow

import (
	"encoding/json"
	"time"
)

// Output is what the engine wants of its host: Records committed in order, and
// Commands started only after all of them are. One frame is the usual case. When
// the records take several and the last do not make it, nothing is wrong: what
// was not committed is decided again after the restart.
type Output struct {
	Records  []Record
	Commands []Command
}

// Command is an action to run. The host answers each with exactly one Result,
// however it ends; an attempt that takes longer than Timeout, counted from when
// it begins, is cut off and answered as FailTimeout.
type Command struct {
	Execution string
	Match     string // id of the match
	Rule      string
	Version   string // of the rule
	Step      string
	Undo      bool
	Attempt   int
	Key       string // idempotency key: the same for every attempt and after a restart

	Action  Action
	Plugin  string          // for ActionRun
	Args    json.RawMessage // evaluated; its shape is documented with the step
	Timeout time.Duration
	Payload Payload // what the execution was started with; not to be written to
}

// Result answers a Command.
type Result struct {
	Execution string
	Step      string
	Undo      bool
	Attempt   int

	// Failure is nil when the attempt succeeded.
	Failure *Failure
	// Dropped says that the step found nothing to do: the execution ends here.
	Dropped bool
	Out     json.RawMessage // JSON, or nil
	Effects []Effect        // of a success only
	Digest  string          // module that ran, when one did
	Usage   *Usage
	// Calls is what a plugin asked of the host and was told, as JSON, where that is
	// recorded.
	Calls json.RawMessage
}

// Failure says why an attempt failed.
type Failure struct {
	Kind    FailureKind
	Message string
	After   time.Duration // shortest wait before another attempt; 0 when the other side named none
}

// Answer returns a Result for c that succeeded with out. Fields may be set on it.
func (c Command) Answer(out json.RawMessage) Result {
	return Result{Execution: c.Execution, Step: c.Step, Undo: c.Undo, Attempt: c.Attempt, Out: out}
}

// Fail returns a Result for c that failed.
func (c Command) Fail(kind FailureKind, message string) Result {
	r := c.Answer(nil)
	r.Failure = &Failure{Kind: kind, Message: message}
	return r
}

// StartInfo is what an execution is started with.
type StartInfo struct {
	// Key is what started it, the match id: the same key starts once.
	Key     string
	Rule    string
	Version string // of the rule
	// Origin begins the idempotency keys, where it is not empty: the same match may
	// be found in copies of one log.
	Origin string
	// Payload is all that later templates and actions need of the match. The engine
	// keeps it and writes it to the log.
	Payload Payload
	// Match is Payload as templates want it. It saves decoding Payload at once;
	// nil is allowed.
	Match any
}

// ExecutionID returns the id of the execution that key starts.
func ExecutionID(key string) string {
	if len(key) > 2 && key[:2] == "m-" {
		return "x-" + key[2:]
	}
	return "x-" + key
}
