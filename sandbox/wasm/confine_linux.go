package wasm

import "golang.org/x/sys/unix"

// confine limits this process to the memory and processor time that compiling may
// take.
func confine() error {
	for _, l := range []struct {
		what int
		most uint64
	}{
		{unix.RLIMIT_DATA, childMemory}, {unix.RLIMIT_CPU, uint64(childCPU.Seconds())}, {unix.RLIMIT_CORE, 0},
	} {
		if err := unix.Setrlimit(l.what, &unix.Rlimit{Cur: l.most, Max: l.most}); err != nil {
			return err
		}
	}
	return nil
}
