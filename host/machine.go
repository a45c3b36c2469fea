package host

import (
	"bytes"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// machineMemory is how much memory this process may have: that of the machine, or of
// the control group it is in. It is 0 where the system does not say.
func machineMemory() int64 {
	least := int64(math.MaxInt64)
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		least = min(least, memTotal(text))
	}
	group, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		group = nil // no control groups
	}
	for at := cgroupOf(group); ; at = path.Dir(at) {
		if text, err := os.ReadFile(path.Join("/sys/fs/cgroup", at, "memory.max")); err == nil {
			least = min(least, memoryMax(text))
		}
		if at == "/" {
			break
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}

// memTotal reads the memory of the machine out of /proc/meminfo.
func memTotal(meminfo []byte) int64 {
	for line := range bytes.Lines(meminfo) {
		rest, ok := bytes.CutPrefix(line, []byte("MemTotal:"))
		fields := bytes.Fields(rest)
		if !ok || len(fields) != 2 || string(fields[1]) != "kB" {
			continue
		}
		if n, err := strconv.ParseInt(string(fields[0]), 10, 53); err == nil && n > 0 {
			return n << 10
		}
	}
	return math.MaxInt64
}

// memoryMax reads the limit of a control group; "max" is none.
func memoryMax(text []byte) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n <= 0 {
		return math.MaxInt64
	}
	return n
}

// cgroupOf reads the path of the process out of /proc/self/cgroup, in the second
// version of control groups; "/" where there is none.
func cgroupOf(text []byte) string {
	for line := range strings.Lines(string(text)) {
		if at, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return path.Clean("/" + at)
		}
	}
	return "/"
}
