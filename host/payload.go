package host

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/form"
	"github.com/rhost/rhost/host/workflow"
	"github.com/rhost/rhost/sandbox"
)

// maxPayload is how large the payload of an execution may be inside its history.
// A larger one is kept as a blob, and the history holds its digest: a frame of
// the log has room for one megabyte in all.
const maxPayload = 256 << 10

// payload is a payload as JSON: what people are shown, and what the log held in
// version 1. The form it has there now is in payloadform.go.
type payload struct {
	Match  abi.Match                `json:"match"`
	Event  *event.Event             `json:"event,omitempty"` // absent when time triggered
	Bind   map[string][]event.Event `json:"bind,omitempty"`
	Values map[string]any           `json:"values,omitempty"` // what templates name besides, such as the aggregates of a window
	Depth  int                      `json:"depth,omitempty"`  // cascade depth of the events it emits

	Blob string `json:"blob,omitempty"` // digest of the payload proper; then only Depth is set beside it
}

// matchVars is what an execution keeps of its match, whole: steps can be run, tried
// again and undone from it alone, whatever became of the events.
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
func (v *matchVars) encode(ctx context.Context, b blobs, most int) (workflow.Payload, error) {
	encoded, err := v.append(payloadHead(v.depth, payloadInline))
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
	return form.AppendText(payloadHead(v.depth, payloadBlob), digest), nil
}

// decodePayload is the inverse of encode, and reads what earlier versions wrote.
func decodePayload(ctx context.Context, raw workflow.Payload, b blobs) (*matchVars, error) {
	v, blob, err := parsePayload(raw)
	if err != nil || blob == "" {
		return v, err
	}
	whole, err := b.GetBlob(ctx, blob)
	if err != nil {
		return nil, fmt.Errorf("read match: %w", err)
	}
	if v, blob, err = parsePayload(whole); err == nil && blob != "" {
		return nil, fmt.Errorf("decode match: blob %s names another", blob)
	}
	return v, err
}

// parseJSONPayload reads version 1.
func parseJSONPayload(raw workflow.Payload) (v *matchVars, blob string, err error) {
	var p payload
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, "", fmt.Errorf("decode match: %w", err)
	}
	v = &matchVars{match: p.Match, event: p.Event, bind: make(map[string][]*event.Event, len(p.Bind)), values: p.Values, depth: p.Depth}
	for name, events := range p.Bind {
		list := make([]*event.Event, len(events))
		for i := range events {
			list[i] = &events[i]
		}
		v.bind[name] = list
	}
	return v, p.Blob, nil
}

// payloadJSON is a payload as people are shown it. Of one that is kept elsewhere, that
// is where.
func payloadJSON(raw workflow.Payload) (json.RawMessage, error) {
	v, blob, err := parsePayload(raw)
	if err != nil {
		return nil, err
	}
	if blob != "" {
		return json.Marshal(payload{Blob: blob, Depth: v.depth})
	}
	p := payload{Match: v.match, Event: v.event, Bind: make(map[string][]event.Event, len(v.bind)), Values: v.values, Depth: v.depth}
	for name, events := range v.bind {
		list := make([]event.Event, len(events))
		for i, ev := range events {
			list[i] = *ev
		}
		p.Bind[name] = list
	}
	return json.Marshal(p)
}
