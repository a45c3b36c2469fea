package window

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// Plan is a window with its aggregates, ready to be used. It is immutable and may
// be shared by any number of goroutines.
type Plan struct {
	spec  Spec
	lets  []reading
	paths []event.Path
	needs []need // of the aggregates, by path
	cells []cellSpec
	print uint64 // of all that the form of a State depends on
}

// reading is where a Let finds its value.
type reading struct {
	cell int // -1: none
	num  float64
	read func(c cell, num float64, w *whole) event.Value
}

// Compile prepares a window and the aggregates of its `let`, which may be none.
// The error is yamldoc.Errors with every problem.
func Compile(spec Spec, lets []Let) (*Plan, error) {
	var errs yamldoc.Errors
	if err := spec.validate(); err != nil {
		errs = append(errs, err.(*yamldoc.Error)) //nolint:errorlint,errcheck,forcetypeassert // validate gives nothing else
	}
	if len(lets) > MaxLets {
		errs = append(errs, yamldoc.Errorf(lets[MaxLets].Pos, "when.let", CodeArgument, "split the rule in two", "%d aggregates: the limit is %d", len(lets), MaxLets))
		return nil, errs.Err()
	}
	p := &Plan{spec: spec}
	names := make(map[string]bool)
	for i := range lets {
		let := &lets[i]
		key := "when.let." + shorten(let.Name)
		switch {
		case !isName(let.Name):
			errs = append(errs, yamldoc.Errorf(let.Pos, key, CodeName, "use letters, digits and _, at most 64 of them", "%s cannot be a name", quoted(let.Name)))
		case names[let.Name]:
			errs = append(errs, yamldoc.Errorf(let.Pos, key, CodeDuplicate, "rename one of them", "%s is defined twice", let.Name))
		}
		names[let.Name] = true
		c, err := parse(let)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		p.use(&c)
	}
	if err := errs.Err(); err != nil {
		return nil, err
	}
	p.print = p.fingerprint()
	return p, nil
}

// use files a call: its paths, its cell, its reading.
func (p *Plan) use(c *call) {
	r := reading{cell: -1, num: c.num, read: c.fn.read}
	if len(c.paths) > 0 {
		spec := cellSpec{kind: c.fn.cell, x: p.path(c.paths[0], c.fn.needs)}
		if len(c.paths) > 1 {
			spec.y = p.path(c.paths[1], c.fn.needs)
		}
		if spec.kind == topCell {
			spec.size = counters(int(c.num))
		}
		r.cell = p.cell(spec)
	}
	p.lets = append(p.lets, r)
}

// path gives the number of a path, and notes what is required of its values.
func (p *Plan) path(path event.Path, needs need) int {
	i := slices.Index(p.paths, path)
	if i < 0 {
		i = len(p.paths)
		p.paths, p.needs = append(p.paths, path), append(p.needs, 0)
	}
	p.needs[i] |= needs
	return i
}

// cell gives the number of a cell, sharing what can be shared. The largest k of
// several topk over one path decides how many counters there are.
func (p *Plan) cell(spec cellSpec) int {
	for i := range p.cells {
		have := &p.cells[i]
		if have.kind == spec.kind && have.x == spec.x && have.y == spec.y {
			have.size = max(have.size, spec.size)
			return i
		}
	}
	p.cells = append(p.cells, spec)
	return len(p.cells) - 1
}

// fingerprint tells plans apart whose states have another form or another
// meaning.
func (p *Plan) fingerprint() uint64 {
	form := fmt.Appendln(nil, p.spec.Kind, int64(p.spec.Size), int64(p.spec.Slide), p.spec.Count)
	for _, path := range p.paths {
		form = fmt.Appendln(form, path)
	}
	for i := range p.cells {
		form = fmt.Appendln(form, p.cells[i].kind, p.cells[i].x, p.cells[i].y, p.cells[i].size)
	}
	h := fnv.New64a()
	h.Write(form)
	return h.Sum64()
}

// Spec is the window.
func (p *Plan) Spec() Spec { return p.spec }

// Paths are the fields that the aggregates read; Add takes their values in this
// order. They belong to the plan.
func (p *Plan) Paths() []event.Path { return p.paths }

// Bound is the most memory that one key's State can take.
func (p *Plan) Bound() (bytes int64, text string) {
	const ownBytes, spare = 256, 2
	pane := int64(ownBytes)
	for i := range p.cells {
		pane += 64 + p.cells[i].bytes()
	}
	panes := int64(1)
	if p.spec.Kind == Sliding {
		panes = p.spec.panes()
		bytes = (panes + 2 + spare) * pane // their sum, a result being worked out, and spare ones
	} else {
		bytes = pane
	}
	bytes += ownBytes
	unit := "pane"
	if panes != 1 {
		unit = "panes"
	}
	return bytes, fmt.Sprintf("%d %s of at most %s, %s a key", panes, unit, round(pane), round(bytes))
}

// round shows a number of bytes in the unit that suits it.
func round(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	default:
		return fmt.Sprintf("%d B", n)
	}
}

// Result is what became of a window.
type Result struct {
	From, To    time.Time     // events at From belong to it; those at To do only in a count window, whose last event is at To
	N           int           // events
	Ignored     int           // values that were there and that an aggregate of their path could not use
	First, Last uint64        // orders of its first and last event, as they were given to Add
	Values      []event.Value // of the Lets, in their order; Missing where there is none, such as the average of nothing
}
