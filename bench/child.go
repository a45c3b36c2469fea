package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/cep/index"
	"github.com/rhost/rhost/cep/predicate"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/yamldoc"
)

// job is what a process of the suite rules is to do.
type job struct {
	mix   *mix
	rules int
	cache string
	time  time.Duration
	gave  map[string]float64
}

// child runs one process of the suite rules and prints its figures.
func child(args []string) error {
	if len(args) != 5 {
		return errors.New("this is started by the suite rules, with: KIND MIX RULES CACHE TIME")
	}
	m, err := mixNamed(args[1])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(args[4])
	if err != nil {
		return err
	}
	j := &job{mix: m, rules: n, cache: args[3], time: d, gave: make(map[string]float64)}
	switch args[0] {
	case "load":
		err = j.load()
	case "serve":
		runtime.GOMAXPROCS(1)
		err = j.serve()
	case "index":
		runtime.GOMAXPROCS(1)
		err = j.index()
	default:
		err = fmt.Errorf("no process is called %q", args[0])
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(j.gave)
}

// load reads YAML, ten thousand rules a document, compiles it and stores the
// compiled rules. Writing the text is not part of its time.
func (j *job) load() error {
	var took time.Duration
	b := cep.NewBuilder()
	for from := 0; from < j.rules; from += documentRules {
		text := document(from, min(from+documentRules, j.rules), j.mix.condition)
		start := time.Now()
		some, err := cep.ParseRules("bench.yaml", text)
		if err != nil {
			return err
		}
		for _, r := range some {
			b.Add(r)
		}
		took += time.Since(start)
	}
	start := time.Now()
	p, err := b.Program()
	if err != nil {
		return err
	}
	j.gave[loadYAML] = (took + time.Since(start)).Seconds()
	j.gave[peakRSS] = resident("VmHWM")
	debug.FreeOSMemory()
	j.gave[yamlRSS] = resident("VmRSS")
	cached, ok := p.AppendCache(nil, "bench")
	if !ok {
		return errors.New("the program has no form for the cache")
	}
	j.gave[cacheSize] = float64(len(cached)) / 1e6
	return os.WriteFile(j.cache, cached, 0o600)
}

// serve loads the compiled rules, matches events, and edits rules meanwhile.
func (j *job) serve() error {
	before := heap()
	start := time.Now()
	b, err := os.ReadFile(j.cache)
	if err != nil {
		return err
	}
	p, err := cep.LoadProgram(b, "bench")
	if err != nil {
		return err
	}
	j.gave[loadCache] = time.Since(start).Seconds()
	j.gave[heapProgram] = (heap() - before) / float64(j.rules)

	lines := j.mix.lines(j.rules)
	s := cep.NewStream(p, cep.Options{Tenant: "default"})
	var matches []cep.Match
	found := 0
	feed := over(lines, func(line []byte, n int) error {
		matches, err = s.Line(n, line, matches[:0])
		found += len(matches)
		return err
	})
	for range 2 { // the first is to warm up
		if j.gave[jsonRate], err = feed(nil, j.time); err != nil {
			return err
		}
	}
	if found == 0 {
		return errors.New("no event met a rule")
	}
	j.gave[cacheRSS] = resident("VmRSS")
	return j.edit(p, lines)
}

// edit measures single events, first without edits and then with one before every
// hundred events. An edit begins with the text of the new rule.
func (j *job) edit(p *cep.Program, lines [][]byte) error {
	events, err := parseLines(lines)
	if err != nil {
		return err
	}
	m := cep.NewMatcher(p, cep.Options{Tenant: "default"})
	var matches []cep.Match
	var quiet, busy, edits histogram
	feed := func(ev *event.Event, h *histogram) {
		start := time.Now()
		matches = m.Feed(ev, cep.Position{}, time.Time{}, matches[:0])
		h.add(time.Since(start))
	}
	n := 0
	for start := time.Now(); time.Since(start) < j.time; n++ {
		feed(&events[n%len(events)], &quiet)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for i, start := 0, time.Now(); time.Since(start) < j.time; i++ {
		began := time.Now()
		if p, err = j.exchange(p, i); err != nil {
			return err
		}
		m.Swap(p)
		edits.add(time.Since(began))
		for range 100 {
			n++
			feed(&events[n%len(events)], &busy)
		}
		if i%64 == 0 {
			ev, err := event.Parse(j.mix.line(j.rules+i, r))
			if err != nil {
				return err
			}
			if matches = m.Feed(&ev, cep.Position{}, time.Time{}, matches[:0]); len(matches) != 1 {
				return fmt.Errorf("the rule of edit %d gave %d matches", i, len(matches))
			}
		}
	}
	j.gave[quietP99], j.gave[editP99] = quiet.micros(0.99), busy.micros(0.99)
	j.gave[editRate], j.gave[editTook99] = edits.rate(), edits.micros(0.99)/1000
	return nil
}

// exchange adds a rule, and removes the one that was added a hundred edits ago.
func (j *job) exchange(p *cep.Program, i int) (*cep.Program, error) {
	put, err := cep.ParseRules("edit.yaml", document(j.rules+i, j.rules+i+1, j.mix.condition))
	if err != nil {
		return nil, err
	}
	return p.Edit(put, []string{fmt.Sprintf("r%d", j.rules+i-100)})
}

// index builds the index of the conditions alone and the counting algorithm's
// tables, and gives both the same events, whose fields are read by both alike.
func (j *job) index() error {
	before := heap()
	seg, paths, err := buildIndex(j.rules, j.mix.condition)
	if err != nil {
		return err
	}
	j.gave[heapIndex] = (heap() - before) / float64(j.rules)
	events, err := parseLines(j.mix.lines(j.rules))
	if err != nil {
		return err
	}
	x := &indexed{seg: seg, paths: paths}
	sides := map[string]func(*event.Event){indexRate: func(ev *event.Event) { x.match(ev) }}
	if j.mix.counted(j.rules) {
		before = heap()
		count, err := newCounting(j.rules, j.mix.condition)
		if err != nil {
			return err
		}
		j.gave[heapCount] = (heap() - before) / float64(j.rules)
		if err := sameHits(x, count, events, j.time); err != nil {
			return err
		}
		sides[countRate] = func(ev *event.Event) { count.match(ev) }
	}
	rates := make(map[string][]float64)
	for range 3 {
		for name, match := range sides {
			n := 0
			r, err := rate(j.time, func() error {
				n++
				match(&events[n%len(events)])
				return nil
			})
			if err != nil {
				return err
			}
			rates[name] = append(rates[name], r)
		}
	}
	for name, r := range rates {
		j.gave[name] = median(r)
	}
	return nil
}

// indexed is the index with what it needs to match.
type indexed struct {
	seg    *index.Segment
	paths  *event.PathSet
	sc     index.Scratch
	values []event.Value
	ids    []index.ID
}

func (x *indexed) match(ev *event.Event) []index.ID {
	x.values = x.paths.Scan(ev, x.values)
	x.ids = x.seg.Match(&x.sc, &predicate.Event{Ev: ev, Fields: x.values}, x.ids[:0])
	return x.ids
}

// sameHits makes sure that both find the same, for some events of which half meet
// a rule, and for as long as d at most.
func sameHits(x *indexed, c *counting, events []event.Event, d time.Duration) error {
	for i, start := 0, time.Now(); i < 200 && time.Since(start) < d; i++ {
		ev := &events[i*50]
		ids, hits := x.match(ev), c.match(ev)
		if i%2 == 0 && len(ids) == 0 || !slices.EqualFunc(ids, hits, func(a index.ID, b int) bool { return int(a) == b }) {
			return fmt.Errorf("event %d meets %v by the index and %v by counting", i*50, ids, hits)
		}
	}
	return nil
}

// buildIndex builds the index of conditions without programs and rules. Sets of
// atoms are let go of as they grow, as Compile does.
func buildIndex(n int, condition func(i int) string) (*index.Segment, *event.PathSet, error) {
	fields := predicate.NewFields()
	b := index.NewBuilder()
	var set *predicate.Set
	for i := range n {
		if i%documentRules == 0 {
			set = predicate.NewSetOn(fields)
		}
		f, _, _, err := set.AddFormula(eventScope, condition(i), yamldoc.Pos{File: "bench"})
		if err != nil {
			return nil, nil, err
		}
		b.Add(f)
	}
	seg, err := b.Build()
	return seg, event.NewPathSet(fields.Paths()), err
}

// heap is what is in use after a collection, in bytes.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// resident reads a figure of the process's memory in megabytes, where the system
// gives it under /proc, and 0 elsewhere.
func resident(key string) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == key+":" {
			kb, err := strconv.ParseFloat(f[1], 64)
			if err == nil {
				return kb * 1024 / 1e6
			}
		}
	}
	return 0
}
