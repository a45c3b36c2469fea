//go:build linux || darwin || freebsd

package eventlog

import "golang.org/x/sys/unix"

// diskFree returns the bytes that dir's file system has left for this process,
// and whether that is known.
func diskFree(dir string) (int64, bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true //nolint:unconvert // the fields' types differ between systems
}
