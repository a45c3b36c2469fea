package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/host/deploy/signature"
	"github.com/rhost/rhost/sandbox/wasm/fuel"
)

// anatomy is what a module consists of, as `plugin inspect --json` prints it.
type anatomy struct {
	Imports  []string      `json:"imports"` // MODULE.NAME
	Exports  []string      `json:"exports"`
	Memory   *memoryBounds `json:"memory,omitempty"` // absent: it has none
	Features []string      `json:"features"`
	Sections []sectionSize `json:"sections"` // in the order of the file
}

// memoryBounds are in bytes.
type memoryBounds struct {
	Min uint64 `json:"min"`
	Max uint64 `json:"max"`
}

// sectionSize is the size of a section, its head included.
type sectionSize struct {
	Name   string `json:"name"`
	Custom bool   `json:"custom,omitempty"`
	Bytes  int    `json:"bytes"`
}

// dissect reads a module that was admitted.
func dissect(wasm []byte) (*anatomy, error) {
	info, err := fuel.Scan(wasm, fuel.DefaultBounds())
	if err != nil {
		return nil, err
	}
	a := &anatomy{Imports: []string{}, Exports: []string{}, Features: []string{}}
	for _, im := range info.Imports {
		a.Imports = append(a.Imports, im.Module+"."+im.Name)
	}
	for _, ex := range info.Exports {
		a.Exports = append(a.Exports, ex.Name)
	}
	if m := info.Memory; m != nil {
		const page = 64 << 10
		a.Memory = &memoryBounds{uint64(m.Min) * page, uint64(m.Max) * page}
	}
	if text := info.Uses.String(); text != "" {
		a.Features = strings.Split(text, ", ")
	}
	a.Sections, err = sectionSizes(wasm)
	return a, err
}

// sectionSizes measures the sections of a module.
func sectionSizes(wasm []byte) ([]sectionSize, error) {
	names := []string{"custom", "types", "imports", "functions", "tables", "memories", "globals", "exports", "start", "elements", "code", "data", "data count"}
	const head = 8
	var list []sectionSize
	for at := head; at < len(wasm); {
		size, n := binary.Uvarint(wasm[at+1:])
		if n <= 0 || size > uint64(len(wasm)-at-1-n) || int(wasm[at]) >= len(names) {
			return nil, fmt.Errorf("a section at offset %d reaches past the end of the module", at)
		}
		body := wasm[at+1+n : at+1+n+int(size)]
		s := sectionSize{Name: names[wasm[at]], Bytes: 1 + n + int(size)}
		if wasm[at] == 0 {
			length, m := binary.Uvarint(body)
			if m <= 0 || length > uint64(len(body)-m) {
				return nil, fmt.Errorf("a custom section at offset %d has no name", at)
			}
			s.Name, s.Custom = string(body[m:m+int(length)]), true
		}
		list = append(list, s)
		at += s.Bytes
	}
	return list, nil
}

// rows is the anatomy for people.
func (a *anatomy) rows() [][]string {
	if a == nil {
		return nil
	}
	rows := [][]string{{"imports", grouped(a.Imports)}, {"exports", strings.Join(a.Exports, ", ")}}
	if m := a.Memory; m != nil {
		rows = append(rows, []string{"memory", fmt.Sprintf("%s bytes, may grow to %s", thousands(m.Min), thousands(m.Max))})
	}
	rows = append(rows, []string{"features", strings.Join(a.Features, ", ")})
	label := "sections"
	for _, s := range a.Sections {
		name := s.Name
		if s.Custom {
			name = "custom " + name
		}
		rows = append(rows, []string{label, fmt.Sprintf("%11s  %s", thousands(s.Bytes), name)})
		label = ""
	}
	return rows
}

// grouped writes imports by the module they come from.
func grouped(imports []string) string {
	var parts []string
	last := ""
	for _, im := range imports {
		at := strings.LastIndexByte(im, '.')
		module, name := im[:at], im[at+1:]
		if module == last {
			parts[len(parts)-1] += ", " + name
			continue
		}
		parts, last = append(parts, module+": "+name), module
	}
	return strings.Join(parts, "; ")
}

// signatureState is what can be said of a plugin's signature, by the keys in files if
// there are any.
type signatureState struct {
	Signed   bool   `json:"signed"`
	Key      string `json:"key,omitempty"` // that it says to be made with
	Verified bool   `json:"verified"`
	Problem  string `json:"problem,omitempty"`
}

func signatureOf(f deploy.Found, src []byte, keys []string) (s signatureState, err error) {
	sig, err := f.ReadSignature()
	if err != nil || sig == nil {
		return s, err
	}
	s.Signed = true
	made, err := signature.Parse(sig)
	s.Key = made.Key
	if err == nil {
		err = made.Of(src)
	}
	if err == nil && len(keys) > 0 {
		policy, keyErr := policyOf(keys)
		if keyErr != nil {
			return s, keyErr
		}
		_, err = policy.Check(src, f.Kind.Comment(), sig)
		s.Verified = err == nil
	}
	if wrong, ok := errors.AsType[*signature.Error](err); ok {
		s.Problem = wrong.Error()
		return s, nil
	}
	return s, err
}

func (s signatureState) String() string {
	switch {
	case !s.Signed:
		return "none"
	case s.Problem != "":
		return "bad: " + s.Problem
	case s.Verified:
		return "good, by " + s.Key
	}
	return "by " + s.Key + "; not checked, for want of --key"
}
