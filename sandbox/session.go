package sandbox

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"github.com/rhost/rhost/abi"
)

// Services is what lies behind a Session: the parts of the host that a call may
// read. The host passes them in. They are read from the call's goroutine only.
type Services struct {
	// State returns the value and version of a key of the tenant's state.
	State func(key string) (value json.RawMessage, version uint64, ok bool)
	// KV returns the value of a key that kv_set wrote, unless its time is over. Nil
	// means that there are none.
	KV func(key string) (value []byte, ok bool)
	// HTTP makes a request. It ends when ctx does at the latest. Nil means that
	// this host makes none: the service is unsupported.
	HTTP func(ctx context.Context, req *abi.HTTPRequest) (abi.HTTPResponse, abi.Status)
	// Secret returns a secret by its name. Nil means that this host has none: the
	// service is unsupported.
	Secret func(name string) (value []byte, st abi.Status)
	// Now is the time the guest sees. Nil means the wall clock.
	Now func() time.Time
	// Random fills p. Nil means crypto/rand.
	Random func(p []byte)
	// Log receives what the guest logs, in order.
	Log func(level LogLevel, msg string)
}

// LogLevel is the severity of a guest's log line.
type LogLevel int32

// The log levels, with the numbers of ABI v1.
const (
	LogDebug LogLevel = 0
	LogInfo  LogLevel = 1
	LogWarn  LogLevel = 2
	LogError LogLevel = 3
)

func (l LogLevel) String() string {
	switch l {
	case LogDebug:
		return "debug"
	case LogInfo:
		return "info"
	case LogWarn:
		return "warn"
	default:
		return "error"
	}
}

// Session is one call's view of the host. It checks each service call against
// the grant and the limits, and buffers the effects. It belongs to the
// goroutine of the call.
//
// A session knows nothing of fuel: the engine charges HostCallFuel before it
// asks the session.
type Session struct {
	services Services
	grant    abi.Grant
	limits   Limits

	calls       int
	last        string
	effects     []abi.Effect
	effectBytes int
	logged      int               // of MaxLogBytes
	outside     bool              // a request was made
	seen        map[string]stored // keys of the state that the call looked at
	seenKV      map[string][]byte // keys that kv_get looked at; nil for those that are absent
	requests    int               // made by http
	secrets     *[]secret         // given out, also to runs of the call that did not count
	tape        tape              // nil while the call is neither recorded nor replayed
}

// stored is a key of the state outside the call.
type stored struct {
	value   json.RawMessage
	version uint64
	ok      bool
}

// NewSession starts a session. Limits that are zero take their defaults.
func NewSession(sv Services, grant abi.Grant, lim Limits) *Session {
	return &Session{services: sv, grant: grant, limits: lim.WithDefaults(), secrets: new([]secret)}
}

// Limits returns the limits of the call.
func (s *Session) Limits() Limits { return s.limits }

// Granted reports whether the call may use a capability.
func (s *Session) Granted(c abi.Capability) bool { return s.grant.Has(c) }

// HostCalls returns how many service calls were made so far.
func (s *Session) HostCalls() int { return s.calls }

// Last names the latest service call, for fault messages.
func (s *Session) Last() string { return s.last }

// Effects returns the buffered effects, in order.
func (s *Session) Effects() []abi.Effect { return s.effects }

// Outside reports whether the call has done something outside that ending
// without effects does not undo.
func (s *Session) Outside() bool { return s.outside }

// fresh is a session for running the call again from its beginning.
func (s *Session) fresh() *Session {
	out := NewSession(s.services, s.grant, s.limits)
	out.secrets = s.secrets
	if r, ok := s.tape.(*Recorder); ok {
		r.rewind()
		out.tape = r
	}
	return out
}

// shadow is a session for running the call once more beside: it sees the state
// that the call saw, and what it asks for happens nowhere.
func (s *Session) shadow() *Session {
	out := NewSession(s.services, s.grant, s.limits)
	out.services.Log = nil
	out.seen, out.seenKV = maps.Clone(s.seen), maps.Clone(s.seenKV)
	if out.services.HTTP != nil {
		out.services.HTTP = func(context.Context, *abi.HTTPRequest) (abi.HTTPResponse, abi.Status) {
			return abi.HTTPResponse{}, abi.StatusUnavailable
		}
	}
	return out
}
