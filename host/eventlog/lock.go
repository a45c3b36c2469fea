package eventlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const lockName = "lock"

// lockDir takes the folder for this process until the file returned is closed
// or the process ends, however it ends. The file's text is for those who come
// second.
func lockDir(dir, owner string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := tryLock(f); err != nil {
		holder := readHolder(f)
		_ = f.Close() // nothing was written
		if errors.Is(err, errHeld) {
			return nil, &LockedError{Dir: dir, Holder: holder}
		}
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	text := fmt.Sprintf("pid %d, %s, since %s\n", os.Getpid(), owner, time.Now().Format(time.RFC3339))
	if err := errors.Join(f.Truncate(0), writeAll(f, text)); err != nil {
		return nil, errors.Join(fmt.Errorf("write %s: %w", f.Name(), err), f.Close())
	}
	return f, nil
}

func writeAll(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

func readHolder(f *os.File) string {
	b, err := io.ReadAll(io.LimitReader(f, 512))
	if text := strings.TrimSpace(string(b)); err == nil && text != "" {
		return text
	}
	return "another process"
}
