package wasm

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"reflect"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// State is everything that an instance has and a call could leave something in: what
// the format calls the store, as far as it belongs to a module instance, read from
// wazero itself.
type State struct {
	Memory  [sha256.Size]byte
	Size    int
	Globals []uint64
	Rest    []string // tables, segments and what else wazero keeps
}

// StateOf reads the state of an instance that is not running. The globals of fuel and
// depth are left out, which every call sets.
func StateOf(i sandbox.Instance) State {
	var in *instance
	switch i := i.(type) {
	case *instance:
		in = i
	case *foreignInstance:
		in = i.instance
	}
	b, _ := in.guest.Memory().Read(0, in.guest.Memory().Size())
	s := State{Memory: sha256.Sum256(b), Size: len(b)}
	own := map[any]bool{}
	for _, name := range []string{fuel.FuelGlobal, fuel.DepthGlobal} {
		own[reflect.ValueOf(in.guest.ExportedGlobal(name)).FieldByName("g").UnsafePointer()] = true
	}
	guest := reflect.ValueOf(in.guest).Elem()
	for n := range guest.NumField() {
		field := guest.Type().Field(n)
		switch v := guest.Field(n); field.Name {
		case "Globals":
			for g := range v.Len() {
				if !own[v.Index(g).UnsafePointer()] {
					s.Globals = append(s.Globals, v.Index(g).Elem().FieldByName("Val").Uint(), v.Index(g).Elem().FieldByName("ValHi").Uint())
				}
			}
		case "Tables":
			for t := range v.Len() {
				s.Rest = append(s.Rest, fmt.Sprintf("table %d %v", t, v.Index(t).Elem().FieldByName("References")))
			}
		case "MemoryInstance":
			for m := range v.Elem().NumField() {
				switch name := v.Elem().Type().Field(m).Name; name {
				case "Buffer", "Cap": // the bytes; a capacity that wazero does not ask for where memory is ours
				default:
					s.Rest = append(s.Rest, fmt.Sprintf("memory: %s %v", name, v.Elem().Field(m)))
				}
			}
		case "s", "prev", "next", "Source": // the engine's, and the module's, which all instances share
		default:
			s.Rest = append(s.Rest, fmt.Sprintf("%s %v", field.Name, v))
		}
	}
	return s
}

// V2 is an ABI that exists in tests alone: version 1 with another answer of now,
// milliseconds in eight bytes.
func V2() ABI {
	a := V1()
	a.Module, a.Marker, a.Minor = "rhost.v2", "rhost_abi_v2", 0
	for i := range a.funcs {
		if a.funcs[i].name == "now" {
			a.funcs[i].call = serve("now", func(r *run, _ []byte) ([]byte, abi.Status) {
				t, st := r.session.Now()
				return binary.LittleEndian.AppendUint64(nil, uint64(t.UnixMilli())), st
			})
		}
	}
	return a
}
