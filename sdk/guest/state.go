package guest

import (
	"errors"

	v1 "github.com/rhost/rhost/abi/v1"
)

// State is the tenant's state: JSON values under keys, each with a version that
// grows by one with every write. A call sees its own writes; others see them
// when the call is done.
type State struct{ host host }

// Get returns the value of a key. A key that is absent is ErrNotFound.
func (s State) Get(key string) (Value, error) {
	v, _, err := s.Load(key)
	return v, err
}

// Load returns the value of a key and its version, for CAS.
func (s State) Load(key string) (v Value, version uint64, err error) {
	b, err := ask(s.host, v1.FuncStateGet, host.stateGet, []byte(key))
	if err != nil {
		return Value{}, 0, err
	}
	version, text, err := v1.ReadState(b)
	return JSON(text), version, err
}

// Set writes a key, whatever it holds.
func (s State) Set(key string, value any) error {
	text, err := encodeValue(v1.FuncStateSet, value)
	if err != nil {
		return err
	}
	return s.set(key, text)
}

// Delete removes a key. Removing one that is absent is no error.
func (s State) Delete(key string) error { return s.set(key, nil) }

func (s State) set(key string, text []byte) error {
	_, err := ask(s.host, v1.FuncStateSet, host.stateSet, v1.AppendStateSet(nil, key, text))
	return err
}

// CAS writes a key if it still has the version that Load returned; 0 means that
// it must be absent. ErrConflict says that it has another. When somebody else
// writes the key before this call is done, the whole call runs again.
func (s State) CAS(key string, version uint64, value any) error {
	text, err := encodeValue(v1.FuncStateCAS, value)
	if err != nil {
		return err
	}
	_, err = ask(s.host, v1.FuncStateCAS, host.stateCAS, v1.AppendStateCAS(nil, key, version, text))
	return err
}

// Update replaces the value of a key by what change makes of it, and never
// loses a write of somebody else. old is missing when the key is absent.
func (s State) Update(key string, change func(old Value) (any, error)) error {
	old, version, err := s.Load(key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	value, err := change(old)
	if err != nil {
		return err
	}
	return s.CAS(key, version, value)
}
