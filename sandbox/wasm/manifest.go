package wasm

import (
	"slices"
	"strings"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/abi/manifest"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// describe reads the manifest that a module carries; nil when it carries none. The
// error is a *sandbox.Refusal.
func describe(name string, wasm []byte, info *fuel.Info) (*manifest.Manifest, error) {
	refuse := func(reason, fix string) error {
		return &sandbox.Refusal{Module: name, Reason: reason, Fix: fix}
	}
	text, err := manifest.Section(wasm)
	if err != nil {
		return nil, refuse(err.Error(), "")
	}
	if text == nil {
		return nil, nil
	}
	about, err := manifest.Parse(text)
	if err != nil {
		return nil, refuse(err.Error(), "")
	}
	batch, ok := info.Export(v1.ExportBatch)
	if i32 := []fuel.ValueType{fuel.I32}; about.Batch && (!ok || batch.Kind != fuel.KindFunc || !sameType(batch.Func, fuel.FuncType{Params: i32, Results: i32})) {
		return nil, refuse("manifest: batch: the module exports no function "+v1.ExportBatch+" of type (i32) → (i32)", "export it, or leave batch out")
	}
	return about, nil
}

// asked is what a module asks for: what it imports, of that what its manifest
// names.
func asked(imports []abi.Capability, about *manifest.Manifest) []abi.Capability {
	if about == nil {
		return imports
	}
	return slices.DeleteFunc(slices.Clone(imports), func(c abi.Capability) bool { return !about.Asks(c) })
}

// functions are those of our ABI that a module imports, sorted.
func functions(info *fuel.Info) []string {
	var names []string
	for _, i := range info.Imports {
		if strings.HasPrefix(i.Module, v1.ModulePrefix) {
			names = append(names, i.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
