//go:build unix

package wasm

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reserve maps n bytes that read as zero. n may be 0.
func reserve(n int) ([]byte, error) {
	if n == 0 {
		return []byte{}, nil
	}
	return unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

func release(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return unix.Munmap(b)
}

// discard gives the pages of a reserved range back. It reads as zero afterwards.
func discard(b []byte) error {
	if runtime.GOOS == "linux" {
		return unix.Madvise(b, unix.MADV_DONTNEED)
	}
	// Elsewhere the advice may leave the bytes as they are: map the range anew.
	_, err := unix.MmapPtr(-1, 0, unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_FIXED)
	return err
}
