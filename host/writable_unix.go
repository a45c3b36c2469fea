//go:build unix

package host

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// writable reports why this process could not write into a folder; it does not try.
func writable(dir string) error {
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("the folder cannot be written to: %w", err)
	}
	return nil
}
