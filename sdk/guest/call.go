package guest

import (
	"errors"
	"time"

	v1 "github.com/rhost/rhost/abi/v1"
)

// Handler does the work of one invocation. It returns nil when the step is done
// and its effects are to happen, Fail, Retry or Drop otherwise. Any other error
// is a retry with that text.
type Handler func(c *Call) error

// handler is what Handle was given. It is set while the program starts and only
// read afterwards.
var handler Handler //nolint:gochecknoglobals // a plugin has one handler, which the exported functions must find

// Handle makes h the handler of the plugin. Call it once, from init: main does
// not run in a plugin.
func Handle(h Handler) { handler = h }

// Call is one invocation of the plugin. It belongs to the handler and must not
// be used after the handler returns; its strings and values may be.
type Call struct {
	// Event completed the match. Its fields are empty, and Event.Type is "",
	// when time did, as for a rule that waits for something not to happen.
	Event Event
	// With holds the arguments of the step: an object, or a missing value.
	With Value
	// Match says which rule matched, and what.
	Match Match
	// Attempt is 1 for the first try.
	Attempt int
	// Key is the idempotency key of the step: the same for every attempt. Send
	// it along with what must not happen twice.
	Key string
	// State is the tenant's state: JSON with versions.
	State State
	// KV is the tenant's store of bytes.
	KV KV

	host host
}

// newCall reads the frame of an invocation. The call lies in frame.
func newCall(h host, frame []byte) (*Call, error) {
	in, err := v1.DecodeInput(frame)
	if err != nil {
		return nil, err
	}
	return &Call{
		Event:   newEvent(&in),
		With:    JSON(in.With),
		Match:   Match{v: JSON(in.Match)},
		Attempt: int(in.Attempt),
		Key:     in.Key,
		State:   State{host: h},
		KV:      KV{host: h},
		host:    h,
	}, nil
}

// run runs handle on frame and returns what rhost_invoke returns.
func run(h host, handle Handler, frame []byte) int32 {
	if handle == nil {
		return finish(h, Fail("the plugin has no handler; call guest.Handle from init"))
	}
	c, err := newCall(h, frame)
	if err != nil {
		return finish(h, Fail(err.Error()))
	}
	return finish(h, handle(c))
}

// finish tells the host how the handler ended.
func finish(h host, err error) int32 {
	if err == nil {
		return v1.ResultOK
	}
	code := int32(v1.ResultRetry)
	if end, ok := errors.AsType[*verdictError](err); ok {
		code = end.code
	}
	h.fail(code, err.Error())
	return code
}

// Emit asks for a new event of the given type. data is its payload, or nil for
// none.
func (c *Call) Emit(eventType string, data any) error {
	return c.send(v1.FuncEmit, host.emit, eventType, data)
}

// Notify asks for a message to the subscribers of a topic.
func (c *Call) Notify(topic string, data any) error {
	if data == nil {
		data = Raw("null")
	}
	return c.send(v1.FuncNotify, host.notify, topic, data)
}

// send passes a name and JSON to one of the services that take them.
func (c *Call) send(service string, do service, name string, data any) error {
	text, err := encode(service, data)
	if err != nil {
		return err
	}
	_, err = ask(c.host, service, do, v1.AppendMessage(nil, name, text))
	return err
}

// Output sets the output of the step, which later steps of the rule read as
// steps.ID.out. The last call counts.
func (c *Call) Output(v any) error {
	text, err := encode(v1.FuncOutput, v)
	if err != nil {
		return err
	}
	if len(text) == 0 {
		text = []byte("null")
	}
	c.host.output(text)
	return nil
}

// Config returns one of the settings that the operator gave the plugin, or all
// of them as an object when name is "". A setting that is not there is
// ErrNotFound.
func (c *Call) Config(name string) (Value, error) {
	b, err := ask(c.host, v1.FuncConfig, host.config, []byte(name))
	return JSON(b), err
}

// Now returns the host's time.
func (c *Call) Now() (time.Time, error) {
	b, err := ask(c.host, v1.FuncNow, host.now, nil)
	if err != nil {
		return time.Time{}, err
	}
	sec, nsec, err := v1.ReadNow(b)
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(sec, int64(nsec)).UTC(), nil
}

// Random fills p with random bytes of the host.
func (c *Call) Random(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), v1.MaxRandom)
		b, err := ask(c.host, v1.FuncRandom, host.random, v1.AppendRandom(nil, uint32(n)))
		if err != nil {
			return err
		}
		if copy(p, b) != n {
			return &StatusError{Service: v1.FuncRandom, Status: v1.StatusInternal}
		}
		p = p[n:]
	}
	return nil
}

// Level is the severity of a log line.
type Level int32

// The levels.
const (
	Debug Level = v1.LogDebug
	Info  Level = v1.LogInfo
	Warn  Level = v1.LogWarn
	Error Level = v1.LogError
)

// Log passes a line to the host's log. A line longer than 8 KiB is cut.
func (c *Call) Log(level Level, msg string) { c.host.log(level, msg) }
