package host

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

const seedBytes = 32

// keptSeed returns the seed of the random bytes that guests get from WASI, which is
// kept in a file: a call that is run again after a restart, or from a record, draws
// the same ones. It is made when there is none.
func keptSeed(name string) ([]byte, error) {
	seed, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case len(seed) == seedBytes:
		return seed, nil
	default:
		return nil, fmt.Errorf("%s has %d bytes, and a seed %d; restore it, or remove it to have another made", name, len(seed), seedBytes)
	}
	seed = make([]byte, seedBytes)
	rand.Read(seed) // never fails: crypto/rand ends the program instead
	if err := writeDurably(name, seed); err != nil {
		return nil, err
	}
	return seed, os.Chmod(name, 0o600)
}
