package host

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rhost/rhost/host/deploy/signature"
	"github.com/rhost/rhost/yamldoc"
)

// SignatureConfig says whose signatures plugins need. Without keys nobody looks at
// signatures.
type SignatureConfig struct {
	Pos yamldoc.Pos `yaml:",pos"`
	// Keys are files with the public keys that are trusted; relative to the app.
	Keys []string `yaml:"keys"`
	// Require keeps out what none of them signed. Without it, unsigned plugins are
	// loaded; a signature has to be good all the same.
	Require bool `yaml:"require"`
}

func (c SignatureConfig) validate() error {
	if c.Require && len(c.Keys) == 0 {
		return fmt.Errorf("%s: signatures.require: no key is trusted, so nothing could be loaded; list public keys under signatures.keys", c.Pos)
	}
	return nil
}

// policy reads the keys.
func (c SignatureConfig) policy(app string) (signature.Policy, error) {
	var keys []signature.PublicKey
	var errs []error
	for _, name := range c.Keys {
		key, err := readKey(within(app, name))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: signatures.keys: %s: %w", c.Pos, name, err))
			continue
		}
		keys = append(keys, key)
	}
	return signature.NewPolicy(keys, c.Require), errors.Join(errs...)
}

func readKey(name string) (signature.PublicKey, error) {
	f, err := os.Open(name)
	if err != nil {
		return signature.PublicKey{}, err
	}
	text, err := io.ReadAll(io.LimitReader(f, signature.MaxKeyFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return signature.PublicKey{}, err
	}
	return signature.ParsePublic(text)
}
