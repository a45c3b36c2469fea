package wasm

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/sandbox"
)

// varCost is what a variable counts beside its name and value.
const varCost = 64

// vars are the variables of an Extism plugin in one call. Where the call may use state
// they are only what was asked for so far: the state is what has them, and takes the
// new values when the call ends well. Otherwise a call begins without any, and what it
// sets is forgotten with it.
type vars struct {
	values map[string][]byte
	size   uint64 // of names and values
	taken  uint64 // of the call's memory: the greatest size there was
}

// kernelVarGet gives a variable; one that is not there has handle 0. The name becomes
// the host's.
func kernelVarGet(r *run, k *kernel, s []uint64) error {
	raw, err := k.Bytes(s[0])
	if err != nil {
		return err
	}
	name := string(raw)
	k.Free(s[0])
	s[0] = 0
	if !r.service("var_get", len(name)) {
		return nil
	}
	value := k.vars.values[name]
	if r.session.Granted(abi.CapState) {
		stored, _, st := r.session.StateGet(r.varKey(name))
		r.compare()
		if st != abi.StatusOK {
			return nil
		}
		value = varBytes(stored)
	}
	return r.give(k, s, value)
}

// kernelVarSet sets a variable, or removes it when the value's handle is 0. Name and
// value become the host's.
func kernelVarSet(r *run, k *kernel, s []uint64) error {
	rawName, err := k.Bytes(s[0])
	if err != nil {
		return err
	}
	rawValue, err := k.Bytes(s[1])
	if err != nil {
		return err
	}
	name, value := string(rawName), append([]byte(nil), rawValue...)
	k.Free(s[0])
	k.Free(s[1])
	if !r.service("var_set", len(name)+len(value)) {
		return nil
	}
	if !r.session.Granted(abi.CapState) {
		return k.vars.set(k.call, name, value)
	}
	st := r.session.StateSet(r.varKey(name), varJSON(value))
	r.compare()
	switch st {
	case abi.StatusOK:
		return nil
	case abi.StatusLimit:
		panic(stop(sandbox.FaultLimit, fmt.Errorf("the variable %q does not fit; raise limits.effects or limits.effect_bytes of the plugin if it is wanted", clip([]byte(name)))))
	case abi.StatusInvalid:
		return fmt.Errorf("the variable %q: its name or its value is too long to be kept in the state", clip([]byte(name)))
	default:
		return fmt.Errorf("the variable %q: %s", clip([]byte(name)), st)
	}
}

// varKey is the key of a plugin's variable in the state.
func (r *run) varKey(name string) string {
	return "extism/" + r.module.info.Name + "/" + strings.ToValidUTF8(name, "\uFFFD")
}

// set keeps a variable for the rest of the call. Room that was taken is not given back
// before the call ends, but is used again.
func (v *vars) set(mem *memory, name string, value []byte) error {
	if old, ok := v.values[name]; ok {
		v.size -= uint64(len(name)+len(old)) + varCost
		delete(v.values, name)
	}
	if len(value) == 0 {
		return nil
	}
	v.size += uint64(len(name)+len(value)) + varCost
	if v.size > v.taken {
		if !mem.take(v.size - v.taken) {
			return fmt.Errorf("the variables: %w", ErrMemory)
		}
		v.taken = v.size
	}
	if v.values == nil {
		v.values = make(map[string][]byte)
	}
	v.values[name] = value
	return nil
}

// varJSON is a value as state holds it: text as a string, other bytes as an object
// with the member base64. Nothing deletes the key.
func varJSON(value []byte) json.RawMessage {
	switch {
	case len(value) == 0:
		return nil
	case utf8.Valid(value):
		return event.StringValue(string(value)).AppendJSON(nil)
	}
	out := append(json.RawMessage(nil), `{"base64":"`...)
	return append(base64.StdEncoding.AppendEncode(out, value), `"}`...)
}

// varBytes is the reverse of varJSON. What others wrote there is given as its JSON.
func varBytes(stored json.RawMessage) []byte {
	if rest, ok := strings.CutPrefix(string(stored), `{"base64":"`); ok {
		if b, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(rest, `"}`)); err == nil {
			return b
		}
	}
	return plainText(stored)
}
