package wasm

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/rhost/rhost/abi"
)

// wasi is what a run keeps for WASI. Nothing of it lasts: a guest that closed
// its standard output in one call has it again in the next.
type wasi struct {
	elapsed uint64 // nanoseconds on the guest's monotonic clock
	real    uint64 // what the realtime clock shows when elapsed is 0
	realSet bool
	random  *rand.ChaCha8
	stdio   stdio
	command *command // of a WASI command, else nil
}

// wasiFuel is the price of a WASI function; bytes it moves are charged like those
// of an answer. It is less than that of a service because a language's runtime
// calls these on its own account.
const wasiFuel = 100

// tick is how far the clocks move with each reading, so that a guest that waits
// for time to pass does not wait for ever.
const tick = uint64(time.Microsecond)

// errno is a WASI error number.
type errno uint16

const (
	errnoSuccess errno = 0
	errnoBadf    errno = 8
	errnoFault   errno = 21
	errnoInval   errno = 28
	errnoNosys   errno = 52
)

// wasiFunc does the work of a WASI function whose price was charged already.
type wasiFunc func(r *run, mem api.Memory, args []uint64) errno

// wasiFuncs is preview 1 in full. What reaches outside the call is answered
// with an error number, as on a system without files and sockets.
func wasiFuncs() []hostFunc {
	list := []hostFunc{
		wasiHost("args_get", args(i32, i32), wasiArgs),
		wasiHost("args_sizes_get", args(i32, i32), wasiArgsSizes),
		wasiHost("environ_get", args(i32, i32), wasiEnviron),
		wasiHost("environ_sizes_get", args(i32, i32), wasiEnvironSizes),
		wasiHost("clock_res_get", args(i32, i32), wasiClockRes),
		wasiHost("clock_time_get", args(i32, i64, i32), wasiClockTime),
		wasiHost("fd_write", args(i32, i32, i32, i32), wasiWrite),
		wasiHost("fd_read", args(i32, i32, i32, i32), wasiRead),
		wasiHost("fd_fdstat_get", args(i32, i32), wasiFdstat),
		wasiHost("fd_filestat_get", args(i32, i32), wasiFilestat),
		wasiHost("fd_fdstat_set_flags", args(i32, i32), wasiStdOnly),
		wasiHost("fd_close", args(i32), wasiStdOnly),
		wasiHost("poll_oneoff", args(i32, i32, i32, i32), wasiPoll),
		wasiHost("random_get", args(i32, i32), wasiRandom),
		wasiHost("sched_yield", nil, wasiNothing),
		{"proc_exit", args(i32), nil, wasiExit},
	}
	for name, params := range noDescriptor() {
		list = append(list, wasiHost(name, params, wasiBadf))
	}
	for name, params := range noSystem() {
		list = append(list, wasiHost(name, params, wasiNosys))
	}
	return list
}

func args(types ...api.ValueType) []api.ValueType { return types }

// noDescriptor are the functions that answer that the descriptor is not open.
func noDescriptor() map[string][]api.ValueType {
	return map[string][]api.ValueType{
		"fd_advise":             args(i32, i64, i64, i32),
		"fd_allocate":           args(i32, i64, i64),
		"fd_datasync":           args(i32),
		"fd_fdstat_set_rights":  args(i32, i64, i64),
		"fd_filestat_set_size":  args(i32, i64),
		"fd_filestat_set_times": args(i32, i64, i64, i32),
		"fd_pread":              args(i32, i32, i32, i64, i32),
		"fd_prestat_get":        args(i32, i32),
		"fd_prestat_dir_name":   args(i32, i32, i32),
		"fd_pwrite":             args(i32, i32, i32, i64, i32),
		"fd_readdir":            args(i32, i32, i32, i64, i32),
		"fd_renumber":           args(i32, i32),
		"fd_seek":               args(i32, i64, i32, i32),
		"fd_sync":               args(i32),
		"fd_tell":               args(i32, i32),
	}
}

// noSystem are the functions that answer that there is no such thing here.
func noSystem() map[string][]api.ValueType {
	return map[string][]api.ValueType{
		"path_create_directory":   args(i32, i32, i32),
		"path_filestat_get":       args(i32, i32, i32, i32, i32),
		"path_filestat_set_times": args(i32, i32, i32, i32, i64, i64, i32),
		"path_link":               args(i32, i32, i32, i32, i32, i32, i32),
		"path_open":               args(i32, i32, i32, i32, i32, i64, i64, i32, i32),
		"path_readlink":           args(i32, i32, i32, i32, i32, i32),
		"path_remove_directory":   args(i32, i32, i32),
		"path_rename":             args(i32, i32, i32, i32, i32, i32),
		"path_symlink":            args(i32, i32, i32, i32, i32),
		"path_unlink_file":        args(i32, i32, i32),
		"proc_raise":              args(i32),
		"sock_accept":             args(i32, i32, i32),
		"sock_recv":               args(i32, i32, i32, i32, i32, i32),
		"sock_send":               args(i32, i32, i32, i32, i32),
		"sock_shutdown":           args(i32, i32),
	}
}

func wasiHost(name string, params []api.ValueType, do wasiFunc) hostFunc {
	return hostFunc{name, params, args(i32), func(ctx context.Context, mod api.Module, stack []uint64) {
		r := runOf(ctx)
		r.meter.charge(r.Context, wasiFuel) //nolint:contextcheck // the run holds the context of the call
		stack[0] = uint64(do(r, mod.Memory(), stack))
	}}
}

func wasiNothing(*run, api.Memory, []uint64) errno { return errnoSuccess }
func wasiBadf(*run, api.Memory, []uint64) errno    { return errnoBadf }
func wasiNosys(*run, api.Memory, []uint64) errno   { return errnoNosys }

// wasiStdOnly accepts the three standard descriptors and changes nothing.
func wasiStdOnly(_ *run, _ api.Memory, a []uint64) errno {
	if uint32(a[0]) > 2 {
		return errnoBadf
	}
	return errnoSuccess
}

func wasiFdstat(r *run, mem api.Memory, a []uint64) errno {
	const (
		characterDevice = 2
		rightRead       = 1 << 1
		rightWrite      = 1 << 6
	)
	fd := uint32(a[0])
	if fd > 2 {
		return errnoBadf
	}
	b, ok := mem.Read(uint32(a[1]), 24)
	if !ok {
		return errnoFault
	}
	clear(b)
	if r.wasi.command == nil || fd == 2 {
		b[0] = characterDevice // else unknown, as of a pipe: nobody types there
	}
	b[8] = rightWrite
	if fd == 0 {
		b[8] = rightRead
	}
	return errnoSuccess
}

func wasiRead(r *run, mem api.Memory, a []uint64) errno {
	if uint32(a[0]) != 0 {
		return errnoBadf
	}
	if c := r.wasi.command; c != nil {
		return c.read(r, mem, a)
	}
	if !mem.WriteUint32Le(uint32(a[3]), 0) {
		return errnoFault
	}
	return errnoSuccess
}

// wasiWrite passes standard output and standard error on as log lines; a command's
// standard output is kept.
func wasiWrite(r *run, mem api.Memory, a []uint64) errno {
	fd := uint32(a[0])
	if fd != 1 && fd != 2 {
		return errnoBadf
	}
	list, count := uint32(a[1]), uint32(a[2])
	vectors, ok := mem.Read(list, count*8)
	if !ok || count > math.MaxUint32/8 {
		return errnoFault
	}
	n := 0
	for ; len(vectors) > 0; vectors = vectors[8:] {
		b, ok := mem.Read(binary.LittleEndian.Uint32(vectors), binary.LittleEndian.Uint32(vectors[4:]))
		if !ok {
			return errnoFault
		}
		// The bytes of one vector may be those of the next, and there may be none:
		// charge as they come, or a small list would move gigabytes.
		r.chargeBytes(len(b) + 8)
		n += len(b)
		if c := r.wasi.command; c != nil && fd == 1 {
			c.write(b)
			continue
		}
		r.wasi.stdio.write(r, fd, b)
	}
	if !mem.WriteUint32Le(uint32(a[3]), uint32(n)) {
		return errnoFault
	}
	return errnoSuccess
}

// exit is how a guest's proc_exit leaves the call.
type exit struct {
	code uint32
	why  string // where a host function says so for the guest
}

func (e *exit) Error() string { return fmt.Sprintf("the guest exited with code %d", int32(e.code)) }

func wasiExit(_ context.Context, _ api.Module, stack []uint64) {
	panic(&exit{code: uint32(stack[0])})
}

// newWASI begins a run. The clock goes on from where start-up left it, everything
// else is new.
func newWASI(elapsed uint64) wasi { return wasi{elapsed: elapsed, stdio: newStdio()} }

// realtime returns the time that the realtime clock shows. A call's begins with
// the host's time where that is granted, else with the time of the match.
func (r *run) realtime() uint64 {
	w := &r.wasi
	if !w.realSet {
		w.realSet = true
		if session, call := r.guide(); session != nil {
			t, st := session.Now()
			r.compare()
			if st != abi.StatusOK {
				t = call.Match.At
			}
			if ns := t.UnixNano(); t.Unix() > 0 && ns > 0 {
				w.real = uint64(ns) - min(w.elapsed, uint64(ns))
			}
		}
	}
	return w.real + w.elapsed
}

func wasiClockRes(_ *run, mem api.Memory, a []uint64) errno {
	if uint32(a[0]) > 3 {
		return errnoInval
	}
	if !mem.WriteUint64Le(uint32(a[1]), tick) {
		return errnoFault
	}
	return errnoSuccess
}

func wasiClockTime(r *run, mem api.Memory, a []uint64) errno {
	const realtime = 0
	id := uint32(a[0])
	if id > 3 {
		return errnoInval
	}
	r.wasi.elapsed += tick
	now := r.wasi.elapsed
	if id == realtime {
		now = r.realtime()
	}
	if !mem.WriteUint64Le(uint32(a[2]), now) {
		return errnoFault
	}
	return errnoSuccess
}

// wasiRandom gives bytes that depend on the call alone, unless the guest may
// have the host's.
func wasiRandom(r *run, mem api.Memory, a []uint64) errno {
	b, ok := mem.Read(uint32(a[0]), uint32(a[1]))
	if !ok {
		return errnoFault
	}
	r.chargeBytes(len(b))
	w := &r.wasi
	if w.random == nil {
		var seed [32]byte
		session, _ := r.guide()
		if session == nil || session.Random(seed[:]) != abi.StatusOK {
			seed = r.seed()
		}
		r.compare()
		w.random = rand.NewChaCha8(seed)
	}
	if _, err := w.random.Read(b); err != nil {
		return errnoInval // never: the generator has no end
	}
	return errnoSuccess
}
