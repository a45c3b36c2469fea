package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rulesSuite loads, matches and edits rules of two fields. Each mix has three
// processes of its own, so that their memory is theirs alone: one that loads the
// YAML and writes the compiled cache, one that serves from the cache, and one that
// has the index alone and the counting algorithm beside it.
func rulesSuite(_ context.Context, o options) ([]measure, func() error, error) {
	dir, err := os.MkdirTemp("", "rhost-bench-")
	if err != nil {
		return nil, nil, err
	}
	var all []measure
	for _, m := range mixes() {
		list := mixMeasures(&ruleset{mix: m.name, rules: o.rules, cache: filepath.Join(dir, m.name)})
		if !m.counted(o.rules) {
			list = slices.DeleteFunc(list, func(l measure) bool { return strings.Contains(l.name, "counting") })
		}
		all = append(all, list...)
	}
	return all, func() error { return os.RemoveAll(dir) }, nil
}

// Figures that the processes give, by name.
const (
	loadYAML    = "load from YAML"
	loadCache   = "load from the cache"
	peakRSS     = "peak of the process that loads the YAML"
	yamlRSS     = "process after that"
	cacheRSS    = "process that serves from the cache"
	cacheSize   = "cache on disk"
	heapProgram = "heap of a rule, all"
	heapIndex   = "heap of a rule, index"
	heapCount   = "heap of a rule, counting algorithm"
	jsonRate    = "JSON in, matches out"
	indexRate   = "fields in, conditions out"
	countRate   = "fields in, counting algorithm"
	quietP99    = "event p99"
	editP99     = "event p99 between edits"
	editRate    = "edits, each adds a rule and removes one"
	editTook99  = "edit p99"
)

// quamina is what was recorded of quamina v2 at a million rules of two fields.
var quamina = struct{ rate, heap float64 }{71_000, 1204} //nolint:gochecknoglobals // a constant

func mixMeasures(s *ruleset) []measure {
	name := func(what string) string { return s.mix + ": " + what }
	get := func(kind, what, unit, base string, once bool) measure {
		m := measure{name: name(what), unit: unit, once: once, fn: s.figure(kind, what)}
		if base != "" {
			m.base = name(base)
		}
		return m
	}
	slow := s.rules >= 100_000
	list := []measure{
		get("load", loadYAML, "s", "", slow),
		get("load", peakRSS, "MB", "", slow),
		get("load", yamlRSS, "MB", "", slow),
		get("load", cacheSize, "MB", "", slow),
		get("serve", loadCache, "s", loadYAML, false),
		get("serve", cacheRSS, "MB", "", false),
		get("serve", heapProgram, "B", "", false),
		get("index", heapIndex, "B", heapCount, slow),
		get("index", heapCount, "B", "", slow),
		get("serve", jsonRate, "events/s", "", false),
		get("index", indexRate, "events/s", countRate, slow),
		get("index", countRate, "events/s", "", slow),
		get("serve", quietP99, "µs", "", false),
		get("serve", editP99, "µs", quietP99, false),
		get("serve", editRate, "edits/s", "", false),
		get("serve", editTook99, "ms", "", false),
	}
	if s.mix == "exact" && s.rules == 1_000_000 {
		list = append(list, measure{name: name("quamina v2"), unit: "events/s", recorded: quamina.rate},
			measure{name: name("quamina v2, heap of a rule"), unit: "B", recorded: quamina.heap})
		for i := range list {
			switch list[i].name {
			case name(jsonRate):
				list[i].base = name("quamina v2")
			case name(heapProgram):
				list[i].base = name("quamina v2, heap of a rule")
			}
		}
	}
	return list
}

// ruleset runs the processes of one mix, and remembers what they gave last.
type ruleset struct {
	mix   string
	rules int
	cache string
	gave  map[string]map[string]float64 // by kind of process and name
}

// childName is the argument that makes this program one of those processes.
const childName = "child"

// figure gives a measure of a process, which is started anew when the measure was
// taken before.
func (s *ruleset) figure(kind, what string) func(context.Context, time.Duration) (float64, error) {
	return func(ctx context.Context, d time.Duration) (float64, error) {
		if _, there := s.gave[kind][what]; !there {
			if err := s.start(ctx, kind, d); err != nil {
				return 0, err
			}
		}
		v, there := s.gave[kind][what]
		if !there {
			return 0, fmt.Errorf("the process %q gave no figure for %s", kind, what)
		}
		delete(s.gave[kind], what)
		return v, nil
	}
}

func (s *ruleset) start(ctx context.Context, kind string, d time.Duration) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, childName, kind, s.mix, strconv.Itoa(s.rules), s.cache, d.String())
	var text bytes.Buffer
	cmd.Stderr = &text
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s of %d rules, %s: %w\n%s", kind, s.rules, s.mix, err, text.Bytes())
	}
	figures := make(map[string]float64)
	if err := json.Unmarshal(out, &figures); err != nil {
		return fmt.Errorf("%s of %d rules, %s: %w", kind, s.rules, s.mix, err)
	}
	if s.gave == nil {
		s.gave = make(map[string]map[string]float64)
	}
	s.gave[kind] = figures
	return nil
}
