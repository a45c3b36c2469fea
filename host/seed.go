package host

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

const (
	seedBytes = 32
	seedSum   = 8
)

// keptSeed returns the seed of the random bytes that guests get from WASI, which is
// kept in a file: a call that is run again after a restart, or from a record, draws
// the same ones. It is made when there is none.
func keptSeed(name string) ([]byte, error) {
	seed, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		return checkSeed(name, seed)
	}
	seed = make([]byte, seedBytes)
	rand.Read(seed) // never fails: crypto/rand ends the program instead
	if err := writeDurably(name, sumOf(seed)); err != nil {
		return nil, err
	}
	return seed, os.Chmod(name, 0o600)
}

// checkSeed gives the seed of a file, which is followed by the beginning of its
// SHA-256, or, as older releases wrote it, by nothing.
func checkSeed(name string, b []byte) ([]byte, error) {
	if len(b) == seedBytes {
		return b, nil
	}
	if len(b) != seedBytes+seedSum || string(sumOf(b[:seedBytes])) != string(b) {
		return nil, fmt.Errorf("%s is damaged; restore it from a backup, or remove it to have another made", name)
	}
	return b[:seedBytes], nil
}

// sumOf is a seed with the beginning of its SHA-256.
func sumOf(seed []byte) []byte {
	sum := sha256.Sum256(seed)
	return append(bytes.Clone(seed), sum[:seedSum]...)
}
