package script

import (
	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/abi/manifest"
	"github.com/rhost/rhost/sandbox"
)

// Manifest reads what a script says of itself, and what it asks for: everything,
// when it says nothing. comment is what begins a comment of its language. The
// error is a *sandbox.Refusal.
func Manifest(src sandbox.Source, comment string) (*manifest.Manifest, []abi.Capability, error) {
	text := manifest.FromScript(src.Bytes, comment)
	if text == nil {
		return nil, abi.Capabilities(), nil
	}
	m, err := manifest.Parse(text)
	switch {
	case err != nil:
		return nil, nil, &sandbox.Refusal{Module: src.Name, Reason: err.Error()}
	case m.Encoding != manifest.Frame:
		return nil, nil, &sandbox.Refusal{Module: src.Name, Reason: "manifest: encoding: only a Wasm module has one", Fix: "leave it out"}
	case m.Batch:
		return nil, nil, &sandbox.Refusal{Module: src.Name, Reason: "manifest: batch: only a Wasm module can take batches", Fix: "leave it out"}
	}
	return m, m.Capabilities, nil
}
