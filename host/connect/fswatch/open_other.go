//go:build !unix

package fswatch

import (
	"io/fs"
	"os"
)

// openRegular opens the file that info is of.
func openRegular(file string, _ fs.FileInfo) (*os.File, error) { return os.Open(file) }

// inode is not known here.
func inode(fs.FileInfo) uint64 { return 0 }
