package guesttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sdk/guest"
)

// Input is the call that a handler gets. The zero Input is the first attempt of
// a step that time caused.
type Input struct {
	Type    string            // of the event; "" means that there is none
	Data    string            // of the event; JSON, unless ContentType says otherwise; "" for none
	ID      string            // of the event; "" means "event-1"
	Source  string            // of the event
	Subject string            // of the event
	Time    time.Time         // of the event; zero for none
	Ext     map[string]string // extension attributes of the event

	ContentType string // of the data; "" is application/json
	With        string // arguments of the step, a JSON object; "" for none
	Match       string // JSON; "" makes one for rule "test" and tenant "default"
	Attempt     int    // 0 means 1
	Key         string // "" means "key-1"
}

// Result is what a run gave.
type Result struct {
	Result  string      // "ok", "fail", "retry" or "drop"
	Message string      // of the handler's error
	Output  guest.Value // missing when there was none
	Effects []Effect    // in order; nil unless ok
	Logs    []Line
}

// Effect is something that the handler asked for.
type Effect struct {
	Kind  string // "emit", "notify", "state_set" or "kv_set"
	Name  string // event type, topic or key
	Value guest.Value
	Bytes []byte        // of kv_set; nil deletes the key
	TTL   time.Duration // of kv_set
}

// Line is a line that the handler logged.
type Line struct {
	Level guest.Level
	Text  string
}

// Emitted returns the payloads of the events of a type that were emitted.
func (r Result) Emitted(eventType string) []guest.Value { return r.values("emit", eventType) }

// Notified returns the messages to a topic.
func (r Result) Notified(topic string) []guest.Value { return r.values("notify", topic) }

func (r Result) values(kind, name string) []guest.Value {
	var list []guest.Value
	for _, e := range r.Effects {
		if e.Kind == kind && e.Name == name {
			list = append(list, e.Value)
		}
	}
	return list
}

// Run runs a handler once. A nil handler stands for the one that the plugin gave
// to guest.Handle. Writes to the state last when the result is ok. A handler
// that panics panics here too.
func (h *Host) Run(handler guest.Handler, in Input) Result {
	h.run = &running{written: make(map[string]entry), kv: make(map[string][]byte)}
	frame := v1.AppendInput(nil, in.frame())
	r := &h.run.result
	switch code := guest.Invoke(h, handler, frame); code {
	case v1.ResultOK:
		r.Result = "ok"
		maps.Copy(h.state, h.run.written)
		maps.Copy(h.kv, h.run.kv)
	case v1.ResultFail:
		r.Result = "fail"
	case v1.ResultRetry:
		r.Result = "retry"
	case v1.ResultDrop:
		r.Result = "drop"
	default:
		panic(fmt.Sprintf("guest.Invoke returned %d", code))
	}
	if r.Result != "ok" {
		r.Effects = nil
	}
	return *r
}

func (in Input) frame() *v1.Input {
	w := &v1.Input{Attempt: uint32(max(in.Attempt, 1)), Key: or(in.Key, "key-1"), Match: in.match()}
	if in.With != "" {
		w.With = []byte(in.With)
	}
	if in.Type == "" {
		return w
	}
	w.HasEvent = true
	w.Event = v1.Event{
		ID: or(in.ID, "event-1"), Source: in.Source, Type: in.Type, Subject: in.Subject,
		DataContentType: in.ContentType, JSON: isJSON(in.ContentType),
	}
	if in.Data != "" {
		w.Event.Data = []byte(in.Data)
	}
	if !in.Time.IsZero() {
		w.Event.HasTime, w.Event.Sec, w.Event.Nsec = true, in.Time.Unix(), uint32(in.Time.Nanosecond())
	}
	for name, value := range in.Ext {
		w.Event.Ext = append(w.Event.Ext, v1.Attr{Name: name, Kind: v1.KindString, Text: value})
	}
	return w
}

func (in Input) match() []byte {
	if in.Match != "" {
		return []byte(in.Match)
	}
	trigger := "time"
	if in.Type != "" {
		trigger = or(in.ID, "event-1")
	}
	b, err := json.Marshal(map[string]any{
		"tenant": "default", "rule": "test", "version": "1", "id": "match-1",
		"at": "2026-01-01T00:00:00Z", "trigger": trigger, "bind": map[string][]string{},
	})
	if err != nil {
		panic(err) // never: these are texts
	}
	return b
}

// isJSON is true for a content type of JSON, and for none.
func isJSON(contentType string) bool {
	t, _, _ := strings.Cut(contentType, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	return t == "" || t == "application/json" || t == "text/json" || strings.HasSuffix(t, "+json")
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
