//go:build !linux

package wasm

import "errors"

// frozen is memory that can be mapped by many; not on this system.
type frozen struct{}

func freeze([]byte) (*frozen, error) { return nil, errors.ErrUnsupported }

func (*frozen) lay([]byte) error            { return errors.ErrUnsupported }
func (*frozen) again(_, room []byte) []byte { return room }
func (*frozen) close()                      {}
