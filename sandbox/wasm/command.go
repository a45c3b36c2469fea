package wasm

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tetratelabs/wazero/api"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/sandbox"
)

// command is what a WASI command finds around it and leaves behind.
type command struct {
	stdin  []byte // what it has not read yet
	stdout []byte
	limit  int      // of stdout
	args   []string // its own name first
	env    []string // NAME=value; nil until it is asked for
}

func newCommand(r *run, args []string) *command {
	c := &command{stdin: r.input, limit: r.session.Limits().Output, args: []string{r.module.info.Name}}
	for _, a := range args {
		c.args = append(c.args, cString(a))
	}
	return c
}

// cString is s as far as C sees it.
func cString(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	return s
}

// output is what the command wrote, without the end of its last line.
func (c *command) output() []byte { return bytes.TrimRight(c.stdout, "\r\n") }

// write takes what the command writes to its standard output. More than may be an
// output ends the call at once.
func (c *command) write(b []byte) {
	if len(b) > c.limit-len(c.stdout) {
		panic(stop(sandbox.FaultLimit, fmt.Errorf("more than %d bytes of standard output; raise limits.output of the plugin if they are wanted", c.limit)))
	}
	c.stdout = append(c.stdout, b...)
}

// read is fd_read of the standard input.
func (c *command) read(r *run, mem api.Memory, a []uint64) errno {
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
		r.chargeBytes(min(len(b), len(c.stdin)) + 8) // for an empty vector too, or a long list would cost nothing
		moved := copy(b, c.stdin)
		c.stdin = c.stdin[moved:]
		n += moved
	}
	if !mem.WriteUint32Le(uint32(a[3]), uint32(n)) {
		return errnoFault
	}
	return errnoSuccess
}

// environ returns the command's environment: the operator's settings, where they are
// granted, and what there is to know of the call.
func (c *command) environ(r *run) []string {
	if c.env != nil {
		return c.env
	}
	c.env = []string{}
	raw, st := serveConfig(r, nil)
	r.compare()
	if st == abi.StatusOK {
		var settings map[string]json.RawMessage
		if json.Unmarshal(raw, &settings) == nil {
			for _, name := range slices.Sorted(maps.Keys(settings)) {
				if name != "" && !strings.ContainsAny(name, "=\x00") {
					c.env = append(c.env, name+"="+cString(string(plainText(settings[name]))))
				}
			}
		}
	}
	var f frame
	f.appendMatch(&r.call.Match)
	with := string(r.call.With)
	if with == "" {
		with = "{}"
	}
	c.env = append(
		c.env, "RHOST_ATTEMPT="+strconv.Itoa(r.call.Attempt), "RHOST_KEY="+cString(r.call.Key),
		"RHOST_MATCH="+string(f.match), "RHOST_WITH="+with,
	)
	return c.env
}

func wasiArgs(r *run, mem api.Memory, a []uint64) errno {
	return writeStrings(r, mem, a, r.wasi.argv())
}

func wasiArgsSizes(r *run, mem api.Memory, a []uint64) errno {
	return writeSizes(mem, a, r.wasi.argv())
}

func wasiEnviron(r *run, mem api.Memory, a []uint64) errno {
	return writeStrings(r, mem, a, r.environ())
}

func wasiEnvironSizes(r *run, mem api.Memory, a []uint64) errno {
	return writeSizes(mem, a, r.environ())
}

// argv and environ are empty for all but commands.
func (w *wasi) argv() []string {
	if w.command == nil {
		return nil
	}
	return w.command.args
}

func (r *run) environ() []string {
	if r.wasi.command == nil {
		return nil
	}
	return r.wasi.command.environ(r)
}

// writeSizes says how many strings there are and how many bytes they take.
func writeSizes(mem api.Memory, a []uint64, list []string) errno {
	if !mem.WriteUint32Le(uint32(a[0]), uint32(len(list))) || !mem.WriteUint32Le(uint32(a[1]), uint32(stringsSize(list))) {
		return errnoFault
	}
	return errnoSuccess
}

func stringsSize(list []string) int {
	n := 0
	for _, s := range list {
		n += len(s) + 1
	}
	return n
}

// writeStrings writes strings that end with a zero, and where each begins.
func writeStrings(r *run, mem api.Memory, a []uint64, list []string) errno {
	if len(list) == 0 {
		return errnoSuccess
	}
	size := stringsSize(list)
	at := uint32(a[1])
	heads, ok := mem.Read(uint32(a[0]), uint32(4*len(list)))
	text, ok2 := mem.Read(at, uint32(size))
	if !ok || !ok2 {
		return errnoFault
	}
	r.chargeBytes(len(heads) + size)
	for i, s := range list {
		binary.LittleEndian.PutUint32(heads[4*i:], at)
		copy(text, s)
		text[len(s)] = 0
		text = text[len(s)+1:]
		at += uint32(len(s)) + 1
	}
	return errnoSuccess
}

// wasiFilestat describes the standard descriptors of a command: of no size, no age
// and no kind that is known, as pipes are.
func wasiFilestat(r *run, mem api.Memory, a []uint64) errno {
	const filestatSize = 64
	if r.wasi.command == nil || uint32(a[0]) > 2 {
		return errnoBadf
	}
	b, ok := mem.Read(uint32(a[1]), filestatSize)
	if !ok {
		return errnoFault
	}
	clear(b)
	return errnoSuccess
}
