//go:build unix

package wasm

import "golang.org/x/sys/unix"

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
