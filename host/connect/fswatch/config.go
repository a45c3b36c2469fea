package fswatch

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
)

// Config is the `fswatch:` of a source.
type Config struct {
	Path     string        `yaml:"path"`     // the folder
	Entropy  Size          `yaml:"entropy"`  // measure this much of the beginning of new content; 0: do not
	Debounce time.Duration `yaml:"debounce"` // how long a file must be quiet for its writes to be told; 100ms
	Ignore   []string      `yaml:"ignore"`   // names not to look at, with * and ?: "*.tmp", ".git"
}

const (
	defaultDebounce = 100 * time.Millisecond
	maxDebounce     = time.Minute
	maxEntropy      = 64 << 20
)

// Validate reports everything wrong with c.
func (c *Config) Validate() error {
	var errs []error
	if c.Path == "" {
		errs = append(errs, errors.New("path: must name a folder"))
	}
	if c.Entropy < 0 || c.Entropy > maxEntropy {
		errs = append(errs, fmt.Errorf("entropy: %d bytes is not between 0 and %dMiB", c.Entropy, maxEntropy>>20))
	}
	if c.Debounce < 0 || c.Debounce > maxDebounce {
		errs = append(errs, fmt.Errorf("debounce: %v is not between 0 and %v", c.Debounce, maxDebounce))
	}
	for _, pattern := range c.Ignore {
		if _, err := path.Match(pattern, "x"); err != nil || strings.Contains(pattern, "/") {
			errs = append(errs, fmt.Errorf("ignore: %q is not a pattern for a name; write something like *.tmp", pattern))
		}
	}
	return errors.Join(errs...)
}

// Size is a number of bytes, written with a unit: 64KiB, 1MiB.
type Size int64

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(b []byte) error {
	text, unit := string(b), int64(1)
	for suffix, n := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20} {
		if number, ok := strings.CutSuffix(text, suffix); ok {
			text, unit = number, n
		}
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(text, "B"), 10, 32)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a size; write it as 64KiB or 1MiB", b)
	}
	*s = Size(n * unit)
	return nil
}
