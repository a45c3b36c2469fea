package sandboxtest

import "github.com/rhost/rhost/sandbox"

// Behaviour names a guest by what it does in every call. Outputs are JSON and
// are compared as values, so the order of members does not matter.
type Behaviour string

// Guests that come to an end.
const (
	// Echo returns the step's arguments (with), unchanged.
	Echo Behaviour = "echo"
	// Describe returns what it was told, one member for each: tenant, rule,
	// match (the match's id), trigger, bind (the match's bind), event (the event's
	// id), source, type, user (data.user of the event), attempt, key and limit
	// (config.limit).
	Describe Behaviour = "describe"
	// EmitTwo emits an event test.one with data {"n":1}, one test.two with
	// {"n":2}, and notifies topic ops with {"ok":true}. It returns nothing.
	EmitTwo Behaviour = "emit-two"
	// StateCounter reads state key count (a number, or absent), and writes it back
	// plus one with a compare-and-set. It returns {"count": the new number}.
	StateCounter Behaviour = "state-counter"
	// Fail fails for good with the message "broken", after emitting an event.
	Fail Behaviour = "fail"
	// Retry asks for a retry with the message "later", after emitting an event.
	Retry Behaviour = "retry"
	// Drop asks to be dropped, after emitting an event.
	Drop Behaviour = "drop"
	// LeakCheck adds one to a global variable that starts at 0, and returns
	// {"count": its value}.
	LeakCheck Behaviour = "leak-check"
	// LogLines logs one, two, three and four at the levels debug, info, warn and
	// error.
	LogLines Behaviour = "log-lines"
	// NowRandom returns {"now": the host's time in milliseconds since 1970,
	// "random": eight random bytes in hexadecimal}.
	NowRandom Behaviour = "now-random"
	// Denied emits an event and returns {"status": "ok" or the name of the status}.
	Denied Behaviour = "denied"
	// EffectsBomb emits events of type x without data until one is not accepted,
	// and returns {"accepted": how many were, "status": name of the last status}.
	EffectsBomb Behaviour = "effects-bomb"
)

// Guests that have to be stopped.
const (
	InfiniteLoop Behaviour = "infinite-loop"  // a loop that does nothing
	MemoryBomb   Behaviour = "memory-bomb"    // takes memory until it gets no more
	StackBomb    Behaviour = "stack-bomb"     // recursion without an end
	HostCallBomb Behaviour = "host-call-bomb" // asks for the time in a loop
	OutputBomb   Behaviour = "output-bomb"    // returns a JSON text of 512 KiB
	Crash        Behaviour = "crash"          // a trap or an exception nobody catches
)

// kinds is how each guest that has to be stopped ends.
func kinds() map[Behaviour][]sandbox.FaultKind {
	return map[Behaviour][]sandbox.FaultKind{
		InfiniteLoop: {sandbox.FaultFuel},
		MemoryBomb:   {sandbox.FaultMemory},
		StackBomb:    {sandbox.FaultStack},
		HostCallBomb: {sandbox.FaultLimit},
		OutputBomb:   {sandbox.FaultLimit},
		Crash:        {sandbox.FaultTrap},
	}
}

// bombs lists the guests of kinds, in order.
func bombs() []Behaviour {
	return []Behaviour{InfiniteLoop, MemoryBomb, StackBomb, HostCallBomb, OutputBomb, Crash}
}
