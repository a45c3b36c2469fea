package eventlog

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// errHeld means that another process, or another Log of this one, has the lock.
var errHeld = errors.New("the lock is held")

// tryLock locks f without waiting. The byte locked lies far behind the text,
// which others read to learn who holds the lock.
func tryLock(f *os.File) error {
	const far = 1 << 20
	flags := uint32(windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY)
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{Offset: far})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errHeld
	}
	return err
}
