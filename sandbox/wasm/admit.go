package wasm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rhost/rhost/abi"
	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// optionalFix is the advice for a module that imports what this host does not have.
const optionalFix = "use a newer host, or list the function under optional in the manifest if the module can do without"

// sdkFix is the advice for a module that was built for something else.
const sdkFix = "build it with an SDK of rhost (`rhost plugin new`), or export and import what abi/SPEC.md says"

// admission checks modules against what this host offers.
type admission struct {
	abis   []ABI
	offers map[string]map[string]fuel.FuncType // by import module and name
}

func newAdmission(modules map[string][]hostFunc, abis ...ABI) admission {
	a := admission{abis: abis, offers: make(map[string]map[string]fuel.FuncType)}
	for module, funcs := range modules {
		a.offers[module] = make(map[string]fuel.FuncType)
		for _, f := range funcs {
			a.offers[module][f.name] = fuel.FuncType{Params: valueTypes(f.params), Results: valueTypes(f.results)}
		}
	}
	return a
}

// valueTypes converts wazero's types to those of package fuel; both are the
// bytes of the binary format.
func valueTypes(types []byte) []fuel.ValueType {
	out := make([]fuel.ValueType, len(types))
	for i, t := range types {
		out[i] = fuel.ValueType(t)
	}
	return out
}

// speaks finds the ABI whose marker a module exports. One that has several speaks
// the latest that is offered.
func (a admission) speaks(info *fuel.Info) (spoken ABI, ok bool) {
	for _, one := range a.abis {
		if _, marked := info.Export(one.Marker); marked {
			spoken, ok = one, true
		}
	}
	return spoken, ok
}

// check decides whether a module speaks our ABI and whether this host has what
// it imports. It returns the capabilities that the module asks for. The error
// is a *sandbox.Refusal.
func (a admission) check(name string, info *fuel.Info) ([]abi.Capability, error) {
	spoken, ok := a.speaks(info)
	if !ok {
		for _, e := range info.Exports {
			if version, marked := strings.CutPrefix(e.Name, v1.MarkerPrefix); marked {
				return nil, &sandbox.Refusal{Module: name, Reason: fmt.Sprintf("speaks rhost.v%s; this host offers %s", version, abiNames(a.abis))}
			}
		}
		return nil, stranger(name, info)
	}
	_, command := info.Export("_start")
	if _, reactor := info.Export(v1.ExportInitialize); command && !reactor {
		// Its runtime would not be initialized when rhost_invoke is called.
		return nil, &sandbox.Refusal{
			Module: name, Reason: "exports _start and no _initialize: it was built as a command, not as a reactor",
			Fix: "for Go, build with -buildmode=c-shared; for C, with -mexec-model=reactor",
		}
	}
	if err := spoken.checkExports(name, info); err != nil {
		return nil, err
	}
	return a.checkImports(name, spoken, info)
}

// checkExports checks what the ABI says a guest exports.
func (a ABI) checkExports(name string, info *fuel.Info) error {
	i32 := []fuel.ValueType{fuel.I32}
	for _, want := range []struct {
		name     string
		kind     fuel.Kind
		fn       fuel.FuncType
		optional bool
	}{
		{name: a.Marker, kind: fuel.KindFunc},
		{name: v1.ExportMemory, kind: fuel.KindMemory},
		{name: v1.ExportInvoke, kind: fuel.KindFunc, fn: fuel.FuncType{Params: i32, Results: i32}},
		{name: v1.ExportInitialize, kind: fuel.KindFunc, optional: true},
		{name: v1.ExportInit, kind: fuel.KindFunc, fn: fuel.FuncType{Params: i32, Results: i32}, optional: true},
	} {
		e, ok := info.Export(want.name)
		refuse := func(format string, args ...any) error {
			return &sandbox.Refusal{Module: name, Reason: fmt.Sprintf(format, args...), Fix: "see the exports in abi/SPEC.md"}
		}
		switch {
		case !ok && want.optional:
		case !ok:
			return refuse("exports no %s %s, which %s needs", want.kind, want.name, a.Module)
		case e.Kind != want.kind:
			return refuse("exports %s as a %s; it must be a %s", want.name, e.Kind, want.kind)
		case want.kind == fuel.KindFunc && !sameType(e.Func, want.fn):
			return refuse("exports %s with type %s; it must be %s", want.name, e.Func, want.fn)
		}
	}
	return nil
}

// checkImports checks that every import is there with the type it is used with.
func (a admission) checkImports(name string, spoken ABI, info *fuel.Info) ([]abi.Capability, error) {
	needs := make(map[abi.Capability]bool)
	for _, imp := range info.Imports {
		if reason, fix := a.missing(spoken, imp); reason != "" {
			return nil, &sandbox.Refusal{Module: name, Reason: reason, Fix: fix}
		}
		if imp.Module == spoken.Module {
			needs[sandbox.CapabilityOf(imp.Name)] = true
		}
	}
	var list []abi.Capability
	for _, c := range abi.Capabilities() {
		if needs[c] {
			list = append(list, c)
		}
	}
	return list, nil
}

// missing says why an import cannot be met; reason is "" when it can.
func (a admission) missing(spoken ABI, imp fuel.Import) (reason, fix string) {
	full := imp.Module + "." + imp.Name
	funcs, known := a.offers[imp.Module]
	if imp.Kind != fuel.KindFunc {
		return fmt.Sprintf("imports the %s %s; a guest brings its own", imp.Kind, full), "define and export it instead"
	}
	have, ok := funcs[imp.Name]
	ours := strings.HasPrefix(imp.Module, v1.ModulePrefix)
	switch {
	case ours && known && imp.Module != spoken.Module:
		return fmt.Sprintf("imports %s and speaks %s, by its export %s", full, spoken.Module, spoken.Marker), "import from the one that it speaks"
	case ok && sameType(have, imp.Func):
		return "", ""
	case ok:
		return fmt.Sprintf("imports %s with type %s; it is %s", full, imp.Func, have), "see the imports in abi/SPEC.md"
	case known && ours:
		if minor, later := spoken.later[imp.Name]; later {
			return fmt.Sprintf("needs %s (host %s.%d or newer); this one is %s", full, spoken.major(), minor, spoken.version()), optionalFix
		}
		return fmt.Sprintf("needs %s, which no host up to %s has", full, spoken.version()), optionalFix
	case known:
		return fmt.Sprintf("needs %s, which this host does not know", full), "see the imports in abi/SPEC.md"
	case ours:
		return fmt.Sprintf("needs %s; this host offers %s", full, abiNames(a.abis)), ""
	case imp.Module == "env" && imp.Name == "abort":
		return "needs env.abort, which this host does not know", "compile AssemblyScript with --use abort="
	}
	return fmt.Sprintf("needs %s, which this host does not know", full),
		fmt.Sprintf("a guest may import from %s and %s", v1.Module, moduleWASI)
}

func sameType(a, b fuel.FuncType) bool {
	return slices.Equal(a.Params, b.Params) && slices.Equal(a.Results, b.Results)
}
