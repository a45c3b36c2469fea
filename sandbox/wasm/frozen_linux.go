package wasm

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rhost/rhost/sandbox"
)

// frozen is memory that instances begin with, in a file that has no name and that
// nobody can change any more. Instances map it privately and share what they do
// not write to.
//
// To put an instance back, the kernel is asked which of its pages are its own by
// now (/proc/self/pagemap), and those are copied back. They stay its own, so later
// calls write to them without a page fault, which costs more than the copy of a
// page; letting go of them (MADV_DONTNEED) would bring the faults back.
type frozen struct {
	file *os.File
	view []byte // of the file, to copy from
}

// freeze copies memory into such a file.
func freeze(memory []byte) (*frozen, error) {
	fd, err := unix.MemfdCreate("rhost-guest", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("freeze memory: %w", err)
	}
	f := &frozen{file: os.NewFile(uintptr(fd), "rhost-guest")}
	if _, err = f.file.Write(memory); err == nil {
		const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
	}
	if err == nil {
		f.view, err = unix.Mmap(fd, 0, len(memory), unix.PROT_READ, unix.MAP_SHARED)
	}
	if err != nil {
		f.file.Close() //nolint:errcheck // it is thrown away
		return nil, fmt.Errorf("freeze memory: %w", err)
	}
	return f, nil
}

// lay maps the file over the beginning of an instance's memory, which it replaces.
func (f *frozen) lay(memory []byte) error {
	_, err := unix.MmapPtr(int(f.file.Fd()), 0, unsafe.Pointer(unsafe.SliceData(memory)), uintptr(len(memory)),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED)
	return err
}

// again makes memory over which the file lies as it was then. It gives back room
// for the next time.
func (f *frozen) again(memory, room []byte) []byte {
	page := os.Getpagesize()
	count := len(memory) / page
	if len(room) < count*entry {
		room = make([]byte, count*entry)
	}
	if !ownPages(memory, room[:count*entry]) {
		copy(memory, f.view)
		return room
	}
	copied := 0
	for n := range count {
		if !isOwn(binary.NativeEndian.Uint64(room[n*entry:])) {
			continue
		}
		copy(memory[n*page:(n+1)*page], f.view[n*page:])
		if copied += page; copied%step == 0 {
			sandbox.Pause()
		}
	}
	return room
}

// close gives up the file and its view. Memory over which the file lies stays as
// it is.
func (f *frozen) close() {
	f.file.Close() //nolint:errcheck // nothing was left to be written
	if err := unix.Munmap(f.view); err != nil {
		panic(fmt.Sprintf("release the view of a guest's memory: %v", err)) // it was ours
	}
}

// An entry of the page map has eight bytes. Bit 63 says that the page is in memory,
// 62 that it is swapped out, 61 that it belongs to a file: see
// Documentation/admin-guide/mm/pagemap.rst of Linux.
const (
	entry   = 8
	inFile  = 1 << 61
	swapped = 1 << 62
	present = 1 << 63
)

// isOwn reports whether a page of a private mapping has been written to.
func isOwn(e uint64) bool { return e&swapped != 0 || e&present != 0 && e&inFile == 0 }

// pagemap is the page map of this process; nil where it cannot be read.
var pagemap = sync.OnceValue(func() *os.File { //nolint:gochecknoglobals // of the process
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return nil // everything is copied then
	}
	return f
})

// ownPages reads the entries of the pages of memory; it reports false where that
// cannot be.
func ownPages(memory, entries []byte) bool {
	f := pagemap()
	if f == nil {
		return false
	}
	at := int64(uintptr(unsafe.Pointer(unsafe.SliceData(memory)))) / int64(os.Getpagesize()) * entry
	n, err := unix.Pread(int(f.Fd()), entries, at)
	return err == nil && n == len(entries)
}
