package manifest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/event"
)

// MaxBytes is how large a manifest may be.
const MaxBytes = 256 << 10

// ABI is the only ABI that a manifest can name.
const ABI = "rhost.v1"

// Manifest is what a plugin says about itself.
type Manifest struct {
	Name        string
	Version     string
	ABI         string
	Description string
	// Capabilities are those the plugin asks for, in the order of
	// abi.Capabilities. It gets no others, whatever it imports.
	Capabilities []abi.Capability
	Hosts        []string // that its requests go to; nil: it does not say
	Secrets      []string // names of those it reads; nil: it does not say
	Optional     []string // functions of the ABI that it can do without
	Limits       Limits
	Config       *Schema // of its settings; nil: any
	Encoding     Encoding
	Batch        bool // it takes several calls at once
	Sample       *Sample
	// JSON is the manifest as it was written.
	JSON json.RawMessage
}

// Limits are those that a plugin wants for each of its calls. They can only lower
// what its operator allows. A zero field says nothing.
type Limits struct {
	Fuel        int64
	Memory      int64 // bytes
	Deadline    time.Duration
	Stack       int
	HostCalls   int
	Output      int // bytes
	Effects     int
	EffectBytes int
}

// Encoding says how a Wasm module wants the input of a call.
type Encoding string

// The encodings.
const (
	Frame Encoding = "frame" // the frame of the ABI; the default
	JSON  Encoding = "json"  // a JSON object, the event in it a structured CloudEvent
)

// Sample is an example of a call, for self-tests.
type Sample struct {
	Event  *event.Event
	Config json.RawMessage // a JSON object, or nil
	With   json.RawMessage // a JSON object, or nil
}

// Asks reports whether the plugin asks for a capability.
func (m *Manifest) Asks(c abi.Capability) bool { return abi.Grant(m.Capabilities).Has(c) }

// Parse reads a manifest. The error is Problems, with everything that is wrong.
func Parse(text []byte) (*Manifest, error) {
	if len(text) > MaxBytes {
		return nil, Problems{{Msg: fmt.Sprintf("has %d bytes; at most %d are allowed", len(text), MaxBytes)}}
	}
	if err := event.CheckJSON(text); err != nil {
		reason, _, _ := strings.Cut(err.Error(), "; ") // the fix is one for events
		return nil, Problems{{Msg: "is not JSON: " + reason}}
	}
	m := &Manifest{Encoding: Frame, JSON: append(json.RawMessage(nil), text...)}
	r := &reader{m: m}
	r.object("", text, fields())
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return m, nil
}

// Problem is one thing that is wrong with a manifest.
type Problem struct {
	Path []string // keys and indices that lead there; empty for the whole
	Msg  string
	Fix  string // may be empty
}

func (p Problem) Error() string {
	text := p.Msg
	if len(p.Path) > 0 {
		text = p.Key() + ": " + text
	}
	if p.Fix != "" {
		text += "; " + p.Fix
	}
	return text
}

// Key is the path as people write it: capabilities.http.hosts[0].
func (p Problem) Key() string {
	var b strings.Builder
	for i, part := range p.Path {
		switch {
		case strings.HasPrefix(part, "["):
		case i > 0:
			b.WriteByte('.')
		}
		b.WriteString(part)
	}
	return b.String()
}

// Problems is everything that is wrong with a manifest.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = "manifest: " + p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the problems one by one.
func (ps Problems) Unwrap() []error {
	list := make([]error, len(ps))
	for i, p := range ps {
		list[i] = p
	}
	return list
}
