package host

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/sandbox"
)

// maxPayload is how large the payload of an execution may be inside its history.
// A larger one is kept as a blob, and the history holds its digest: a frame of
// the log has room for one megabyte in all.
const maxPayload = 256 << 10

// payload is what an execution keeps of its match, whole: steps can be run,
// tried again and undone from it alone, whatever became of the events.
type payload struct {
	Match  abi.Match                `json:"match"`
	Event  *event.Event             `json:"event,omitempty"` // absent when time triggered
	Bind   map[string][]event.Event `json:"bind,omitempty"`
	Values map[string]any           `json:"values,omitempty"` // what templates name besides, such as the aggregates of a window
	Depth  int                      `json:"depth,omitempty"`  // cascade depth of the events it emits

	Blob string `json:"blob,omitempty"` // digest of the payload proper; then only Depth is set beside it
}

// matchVars is a payload as templates and calls see it.
type matchVars struct {
	match  abi.Match
	event  *event.Event
	bind   map[string][]*event.Event
	values map[string]any
	depth  int
}

// varsOf gives what templates see of a fresh match.
func varsOf(tenant string, m *cep.Match, depth int) *matchVars {
	v := &matchVars{
		match: abi.Match{
			Tenant: tenant, Rule: m.Rule.Name, Version: m.Rule.Version,
			ID: m.ID, At: m.At, Trigger: m.Trigger, Bind: make(map[string][]string, len(m.Bind)),
		},
		event:  m.TriggerEvent,
		bind:   make(map[string][]*event.Event, len(m.Bind)),
		values: m.Values(),
		depth:  depth,
	}
	for _, b := range m.Bind {
		v.bind[b.Element] = b.Events
		ids := make([]string, len(b.Events))
		for i, ev := range b.Events {
			ids[i] = ev.ID
		}
		v.match.Bind[b.Element] = ids
	}
	return v
}

// encode writes v as a payload. One that is larger than a history may hold is put
// into the blobs first.
func (v *matchVars) encode(ctx context.Context, b blobs, most int) (json.RawMessage, error) {
	p := payload{Match: v.match, Event: v.event, Bind: make(map[string][]event.Event, len(v.bind)), Values: v.values, Depth: v.depth}
	for name, events := range v.bind {
		list := make([]event.Event, len(events))
		for i, ev := range events {
			list[i] = *ev
		}
		p.Bind[name] = list
	}
	encoded, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode match %s: %w", v.match.ID, err)
	}
	if len(encoded) <= most {
		return encoded, nil
	}
	digest := sandbox.Digest(encoded)
	if err := b.PutBlob(ctx, digest, encoded); err != nil {
		return nil, fmt.Errorf("keep match %s: %w", v.match.ID, err)
	}
	return json.Marshal(payload{Blob: digest, Depth: v.depth})
}

// decodePayload is the inverse of encode.
func decodePayload(ctx context.Context, raw json.RawMessage, b blobs) (*matchVars, error) {
	var p payload
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("decode match: %w", err)
	}
	if p.Blob != "" {
		whole, err := b.GetBlob(ctx, p.Blob)
		if err != nil {
			return nil, fmt.Errorf("read match: %w", err)
		}
		p = payload{}
		if err := json.Unmarshal(whole, &p); err != nil {
			return nil, fmt.Errorf("decode match: %w", err)
		}
	}
	v := &matchVars{match: p.Match, event: p.Event, bind: make(map[string][]*event.Event, len(p.Bind)), values: p.Values, depth: p.Depth}
	for name, events := range p.Bind {
		list := make([]*event.Event, len(events))
		for i := range events {
			list[i] = &events[i]
		}
		v.bind[name] = list
	}
	return v, nil
}
