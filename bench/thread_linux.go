package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ownTime is the processor time of this process.
func ownTime() time.Duration {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return 0 // never: the arguments are right
	}
	return time.Duration(own.Utime.Nano() + own.Stime.Nano())
}

// thread tells how long a thread was ready to run while the kernel ran others instead.
type thread struct{ stat *os.File }

// lockThread ties the goroutine to its thread. done unties it.
func lockThread() (t thread, done func()) {
	runtime.LockOSThread()
	f, err := os.Open(fmt.Sprintf("/proc/self/task/%d/schedstat", syscall.Gettid()))
	if err != nil {
		return thread{}, runtime.UnlockOSThread // all waits count then
	}
	return thread{f}, func() {
		runtime.UnlockOSThread()
		f.Close() //nolint:errcheck // was read
	}
}

// waited is the time since the thread began; 0 where the kernel does not tell.
func (t thread) waited() time.Duration {
	if t.stat == nil {
		return 0
	}
	var room [96]byte
	n, err := syscall.Pread(int(t.stat.Fd()), room[:], 0)
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(room[:n]))
	if len(fields) < 2 {
		return 0
	}
	ns, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(ns)
}
