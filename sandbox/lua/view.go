package lua

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	glua "github.com/yuin/gopher-lua"
)

// The interpreter shows its context nothing of the instruction it is about to
// run, and that is what has a price. The types below repeat the parts of
// gopher-lua's own structures that the meter reads; it never writes to them.
// checkLayout compares them with the interpreter that is linked in, and New
// refuses to make an engine when they differ.

// frame is gopher-lua's callFrame.
type frame struct {
	Idx        int
	Fn         *glua.LFunction
	Parent     *frame
	Pc         int // of the instruction after the current one
	Base       int
	LocalBase  int // register 0 of the function
	ReturnBase int
	NArgs      int
	NRet       int
	TailCall   int
}

// registry is gopher-lua's registry: the registers of all frames of a thread.
type registry struct {
	array []glua.LValue
	top   int
}

// table is gopher-lua's LTable.
type table struct {
	Metatable glua.LValue
	array     []glua.LValue
	dict      map[glua.LValue]glua.LValue
	strdict   map[string]glua.LValue
	keys      []glua.LValue
	k2i       map[glua.LValue]int
}

// offsets are where an LState keeps what the meter reads.
type offsets struct{ frame, registry uintptr }

func viewTable(tb *glua.LTable) *table { return (*table)(unsafe.Pointer(tb)) }

// viewThread gives the place where a thread keeps its current frame, which
// moves, and its registry, which does not.
func (o offsets) viewThread(l *glua.LState) (cur **frame, reg *registry) {
	p := unsafe.Pointer(l)
	return (**frame)(unsafe.Add(p, o.frame)), *(**registry)(unsafe.Add(p, o.registry))
}

// checkLayout finds the offsets, or says what is no longer where it was.
func checkLayout() (offsets, error) {
	state := reflect.TypeFor[glua.LState]()
	cur, ok1 := state.FieldByName("currentFrame")
	reg, ok2 := state.FieldByName("reg")
	if !ok1 || !ok2 || cur.Type.Kind() != reflect.Pointer || reg.Type.Kind() != reflect.Pointer {
		return offsets{}, errors.New("gopher-lua: LState has another layout than this package was written for")
	}
	return offsets{cur.Offset, reg.Offset}, errors.Join(
		sameLayout(reflect.TypeFor[frame](), cur.Type.Elem()),
		sameLayout(reflect.TypeFor[registry](), reg.Type.Elem()),
		sameLayout(reflect.TypeFor[table](), reflect.TypeFor[glua.LTable]()),
	)
}

// sameLayout checks that the fields of ours lie where theirs do.
func sameLayout(ours, theirs reflect.Type) error {
	for f := range ours.Fields() {
		g, ok := theirs.FieldByName(f.Name)
		same := ok && g.Offset == f.Offset && (g.Type == f.Type ||
			f.Type.Kind() == reflect.Pointer && g.Type.Kind() == reflect.Pointer)
		if !same {
			return fmt.Errorf("gopher-lua: %v.%s has another layout than this package was written for", theirs, f.Name)
		}
	}
	return nil
}
