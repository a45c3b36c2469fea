package guesttest

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"time"

	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sdk/guest"
)

// Host stands in for the host. Its fields may be changed between runs. It is
// not safe for concurrent use; tests that run side by side each make their own.
type Host struct {
	Config string    // the plugin's settings, a JSON object; "" is {}
	Now    time.Time // what Call.Now returns
	Deny   []string  // services that answer "denied": "emit", "state_get", "now", …
	// HTTP answers requests; nil denies them. An error of package guest, such as
	// guest.ErrTimeout, is what the handler gets.
	HTTP    func(req guest.Request) (guest.Response, error)
	Secrets map[string]string

	state  map[string]entry
	kv     map[string][]byte
	random *rand.ChaCha8
	run    *running
}

// entry is a value of the state.
type entry struct {
	version uint64
	value   []byte // nil: deleted
}

// running is what a handler has done so far.
type running struct {
	result  Result
	written map[string]entry
	kv      map[string][]byte
}

// New returns a host with an empty state, whose clock stands at the start of
// 2026 and whose random bytes are the same in every test.
func New() *Host {
	return &Host{
		Now:    time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		state:  make(map[string]entry),
		kv:     make(map[string][]byte),
		random: rand.NewChaCha8([32]byte{}),
	}
}

// SetState puts a JSON value into the state.
func (h *Host) SetState(key, value string) {
	h.state[key] = entry{version: h.state[key].version + 1, value: []byte(value)}
}

// State returns a value of the state, missing when the key is absent.
func (h *Host) State(key string) guest.Value { return guest.JSON(h.state[key].value) }

// Serve answers a service; it is guest.Host's.
func (h *Host) Serve(service string, request []byte) ([]byte, v1.Status) {
	if slices.Contains(h.Deny, service) {
		return nil, v1.StatusDenied
	}
	request = slices.Clone(request) // what we read from it may be kept
	switch service {
	case v1.FuncEmit, v1.FuncNotify:
		return nil, h.message(service, request)
	case v1.FuncStateGet:
		return h.stateGet(string(request))
	case v1.FuncStateSet:
		s, err := v1.ReadStateSet(request)
		if err != nil {
			return nil, v1.StatusInvalid
		}
		return nil, h.write(s.Key, s.Value)
	case v1.FuncStateCAS:
		return nil, h.stateCAS(request)
	case v1.FuncConfig:
		return h.config(string(request))
	case v1.FuncNow:
		return v1.AppendNow(nil, h.Now.Unix(), uint32(h.Now.Nanosecond())), v1.StatusOK
	case v1.FuncRandom:
		return h.randomBytes(request)
	case v1.FuncKVGet:
		return h.kvGet(string(request))
	case v1.FuncKVSet:
		return nil, h.kvSet(request)
	case v1.FuncHTTP:
		return h.http(request)
	case v1.FuncSecret:
		return h.secret(string(request))
	case v1.FuncHas:
		return nil, h.has(string(request))
	}
	return nil, v1.StatusUnsupported
}

// Output takes the step's output; it is guest.Host's.
func (h *Host) Output(text []byte) { h.run.result.Output = guest.JSON(slices.Clone(text)) }

// Fail takes the handler's error; it is guest.Host's.
func (h *Host) Fail(_ int32, msg string) { h.run.result.Message = msg }

// Log takes a log line; it is guest.Host's.
func (h *Host) Log(level guest.Level, msg string) {
	h.run.result.Logs = append(h.run.result.Logs, Line{Level: level, Text: msg})
}

func (h *Host) message(service string, request []byte) v1.Status {
	m, err := v1.ReadMessage(service, request)
	needed := service == v1.FuncNotify || len(m.Data) > 0
	if err != nil || m.Name == "" || needed && !json.Valid(m.Data) {
		return v1.StatusInvalid
	}
	h.effect(Effect{Kind: service, Name: m.Name, Value: guest.JSON(m.Data)})
	return v1.StatusOK
}

func (h *Host) effect(e Effect) { h.run.result.Effects = append(h.run.result.Effects, e) }

func (h *Host) read(key string) entry {
	if e, ok := h.run.written[key]; ok {
		return e
	}
	return h.state[key]
}

func (h *Host) stateGet(key string) ([]byte, v1.Status) {
	e := h.read(key)
	if len(e.value) == 0 {
		return nil, v1.StatusNotFound
	}
	return v1.AppendState(nil, e.version, e.value), v1.StatusOK
}

func (h *Host) write(key string, value []byte) v1.Status {
	if key == "" || len(value) > 0 && !json.Valid(value) {
		return v1.StatusInvalid
	}
	h.run.written[key] = entry{version: h.read(key).version + 1, value: value}
	h.effect(Effect{Kind: v1.FuncStateSet, Name: key, Value: guest.JSON(value)})
	return v1.StatusOK
}

func (h *Host) stateCAS(request []byte) v1.Status {
	s, err := v1.ReadStateCAS(request)
	if err != nil {
		return v1.StatusInvalid
	}
	e := h.read(s.Key)
	if len(e.value) == 0 {
		e.version = 0
	}
	if e.version != s.Expect {
		return v1.StatusConflict
	}
	return h.write(s.Key, s.Value)
}

func (h *Host) config(name string) ([]byte, v1.Status) {
	text := h.Config
	if text == "" {
		text = "{}"
	}
	if name == "" {
		return []byte(text), v1.StatusOK
	}
	v := guest.JSON([]byte(text)).Key(name)
	if !v.Exists() {
		return nil, v1.StatusNotFound
	}
	return v.Raw(), v1.StatusOK
}

func (h *Host) randomBytes(request []byte) ([]byte, v1.Status) {
	n, err := v1.ReadRandom(request)
	if err != nil {
		return nil, v1.StatusInvalid
	}
	if n > v1.MaxRandom {
		return nil, v1.StatusLimit
	}
	p := make([]byte, n)
	if _, err := h.random.Read(p); err != nil {
		return nil, v1.StatusInternal
	}
	return p, v1.StatusOK
}
