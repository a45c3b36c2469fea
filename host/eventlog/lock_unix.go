//go:build unix

package eventlog

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// errHeld means that another process, or another Log of this one, has the lock.
var errHeld = errors.New("the lock is held")

// tryLock locks f without waiting. The lock belongs to the open file, so two
// logs of one process exclude each other as well.
func tryLock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errHeld
	}
	return err
}
