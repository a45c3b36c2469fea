//go:build unix

package fswatch

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// openRegular opens the file that info is of. Whoever writes to the folder might
// put a link or a pipe in its place; neither is followed or waited for.
func openRegular(file string, info fs.FileInfo) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if now, err := f.Stat(); err != nil || !os.SameFile(now, info) {
		return nil, errors.Join(errors.New("replaced meanwhile"), err, f.Close())
	}
	return f, nil
}

// inode tells a file from one that took its path.
func inode(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}
