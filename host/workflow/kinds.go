package workflow

// Action names what a step does.
type Action string

// The actions of a step.
const (
	ActionRun    Action = "run"    // call a plugin
	ActionEmit   Action = "emit"   // a new event
	ActionNotify Action = "notify" // a message to a topic
	ActionHTTP   Action = "http"   // a request to somewhere else
	ActionFile   Action = "file"   // a change in a granted folder
)

// inLog reports whether the action's only effect is a record in the log. Such a
// step needs no command: it is done when the record is.
func (a Action) inLog() bool { return a == ActionEmit || a == ActionNotify }

// FailureKind says why an attempt failed, in words that `retry: {on: …}` uses.
type FailureKind string

// The kinds of failure.
const (
	FailTimeout     FailureKind = "timeout"     // took longer than allowed; it may still have had its effect
	FailUnavailable FailureKind = "unavailable" // not there just now: a plugin not loaded, a refused connection, HTTP 429 or 5xx
	FailRetry       FailureKind = "retry"       // the guest asks for another try
	FailConflict    FailureKind = "conflict"    // state changed under the call, too often
	FailCrashed     FailureKind = "crashed"     // its worker process died
	FailQuota       FailureKind = "quota"       // the tenant may hold no more of what it writes
	FailPermanent   FailureKind = "fail"        // the guest or the other side says no
	FailFuel        FailureKind = "fuel"        // used up its fuel
	FailMemory      FailureKind = "memory"      // asked for more memory than allowed
	FailStack       FailureKind = "stack"       // calls nested too deep
	FailTrap        FailureKind = "trap"        // the guest crashed
	FailABI         FailureKind = "abi"         // the guest broke the contract
	FailLimit       FailureKind = "limit"       // too much output, effects or host calls
	FailDenied      FailureKind = "denied"      // not granted: a capability, a host, a folder
	FailInvalid     FailureKind = "invalid"     // arguments that cannot be used, or whose `${…}` has no value
	FailDefinition  FailureKind = "definition"  // the rule version it is pinned to is gone
	FailInternal    FailureKind = "internal"    // a bug of the host
)

// failureKinds lists all kinds, in the order messages name them.
func failureKinds() []FailureKind {
	return []FailureKind{
		FailTimeout, FailUnavailable, FailRetry, FailConflict, FailCrashed, FailQuota, FailPermanent, FailFuel, FailMemory,
		FailStack, FailTrap, FailABI, FailLimit, FailDenied, FailInvalid, FailDefinition, FailInternal,
	}
}

// transient reports whether another attempt may well succeed, which is what
// decides where a retry policy names no kinds.
func (k FailureKind) transient() bool {
	switch k {
	case FailTimeout, FailUnavailable, FailRetry, FailConflict, FailCrashed, FailQuota:
		return true
	default:
		return false
	}
}

// Status is how an execution ended.
type Status string

// The statuses.
const (
	StatusDone               Status = "done"                // every step succeeded
	StatusDropped            Status = "dropped"             // a step found nothing to do
	StatusFailed             Status = "failed"              // a step failed, and nothing before it had to be undone
	StatusCompensated        Status = "compensated"         // a step failed, and all before it are undone
	StatusCompensationFailed Status = "compensation_failed" // a step failed, and so did an undo
)
