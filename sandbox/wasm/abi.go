package wasm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero/api"

	v1 "github.com/rhost/rhost/abi/v1"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// ABI is one major version of the guest ABI, as far as a host offers it. An engine
// may offer several: a guest's marker says which one it speaks, and it imports
// from that one's module alone.
type ABI struct {
	Module string // import module: "rhost.v1"
	Marker string // export that says that a guest speaks it: "rhost_abi_v1"
	Minor  int    // the minor version that is offered
	funcs  []hostFunc
	later  map[string]int // functions that came with a later minor version
}

// V1 is version 1, with everything that this release has of it.
func V1() ABI {
	return ABI{Module: v1.Module, Marker: v1.ExportMarker, Minor: v1.Minor, funcs: append(coreFuncs(), services()...)}
}

// Until returns the ABI as a host of an older minor version offered it.
func (a ABI) Until(minor int) ABI {
	old := a
	old.Minor, old.funcs, old.later = minor, nil, make(map[string]int)
	for _, f := range a.funcs {
		if known, ok := v1.Lookup(f.name); ok && known.Minor > minor {
			old.later[f.name] = known.Minor
			continue
		}
		old.funcs = append(old.funcs, f)
	}
	return old
}

// major is the number in the name of the module.
func (a ABI) major() string { return strings.TrimPrefix(a.Module, v1.ModulePrefix) }

// version is how people call what is offered: 1.1.
func (a ABI) version() string { return fmt.Sprintf("%s.%d", a.major(), a.Minor) }

// abiNames are the import modules of ABIs, for messages.
func abiNames(list []ABI) string {
	var all []string
	for _, a := range list {
		all = append(all, a.Module)
	}
	return strings.Join(all, " and ")
}

// moduleStub is what optional imports that this host does not know are linked to.
const (
	moduleStub = "rhost.stub"
	stubName   = "unsupported"
)

// stubFuncs is the service that this host does not offer.
func stubFuncs() []hostFunc {
	return []hostFunc{{stubName, []api.ValueType{i32, i32, i32, i32}, []api.ValueType{i64}, serve(stubName, serveUnsupported)}}
}

// isService reports whether an import has the type that all services have.
func isService(imp fuel.Import) bool {
	return imp.Kind == fuel.KindFunc &&
		slices.Equal(imp.Func.Params, []fuel.ValueType{fuel.I32, fuel.I32, fuel.I32, fuel.I32}) &&
		slices.Equal(imp.Func.Results, []fuel.ValueType{fuel.I64})
}
