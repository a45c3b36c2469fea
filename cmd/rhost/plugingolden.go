package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/sandbox"
)

// A recorded call is a test, too: what the plugin was told is in the record, and what
// it has to do. One record is a file of its own, several are one a line.
const (
	recordExt  = ".record.json"
	recordsExt = ".record.ndjson"
)

// goldenDeadline is what a recorded call has at least: how long it takes is no part of
// the record.
const goldenDeadline = 30 * time.Second

func isRecordFile(name string) bool {
	return strings.HasSuffix(name, recordExt) || strings.HasSuffix(name, recordsExt)
}

// recordFiles are the recorded calls of a plugin: those in tests/ of its folder, and
// NAME.record.json and NAME.record.ndjson beside a plugin that is one file.
func recordFiles(f deploy.Found) ([]string, error) {
	dir := f.Source
	if dir == "" && filepath.Base(filepath.Dir(f.File)) == f.Name {
		dir = filepath.Dir(f.File)
	}
	var files []string
	if dir != "" {
		var err error
		if files, err = recordsIn(filepath.Join(dir, "tests")); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	for _, ext := range []string{recordExt, recordsExt} {
		beside := strings.TrimSuffix(f.File, filepath.Ext(f.File)) + ext
		if _, err := os.Stat(beside); err == nil {
			files = append(files, beside)
		}
	}
	return files, nil
}

// recordsIn lists the files with records of a folder, or is the one file that path
// names.
func recordsIn(path string) (files []string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	for _, e := range entries {
		if isRecordFile(e.Name()) {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	return files, err
}

// golden is a recorded call as a test.
type golden struct {
	*callRecord
	name, place string
}

func readGolden(file string) (list []golden, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, usage(err)
	}
	records := [][]byte{text}
	if strings.HasSuffix(file, "ndjson") {
		records = bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	}
	for i, line := range records {
		place := relative(file)
		if len(records) > 1 {
			place += fmt.Sprint(":", i+1)
		}
		rec, err := parseRecord(place, line)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(file), recordExt), recordsExt)
		list = append(list, golden{rec, orElse(rec.Test, name), place})
	}
	return list, nil
}

// run gives the call to the module again and compares.
func (g golden) run(ctx context.Context, m sandbox.Module, o outside) (r fixtureResult, err error) {
	r.Test, r.Place, r.Recorded = g.name, g.place, true
	call, err := g.Call.call()
	if err != nil {
		return r, usage(fmt.Errorf("%s: %w", g.place, err))
	}
	sv, done, err := g.services(call, o)
	if err != nil {
		return r, err
	}
	defer done()
	var end callResult
	sv.Log = func(l sandbox.LogLevel, msg string) { end.Logs = append(end.Logs, l.String()+": "+msg) }
	limits := g.Limits
	limits.Deadline = max(limits.Deadline, goldenDeadline)
	inst, err := m.New(ctx, limits)
	if err != nil {
		return r, err
	}
	session := sandbox.NewSession(sv, g.Grant, limits)
	replayer := sandbox.NewReplayer(g.Calls)
	session.Replay(replayer)
	reply, used, callErr := inst.Invoke(ctx, call, session)
	end.fill(reply, used, callErr)
	end.Message = session.Redact(end.Message)
	if err := inst.Close(ctx); err != nil {
		return r, err
	}
	r.Usage = used
	if r.Got, err = gotOf(reply, callErr, end.Logs); err != nil {
		return r, err
	}
	if r.Diff, err = g.diff(end, m.Info().Digest); err != nil {
		return r, err
	}
	if err := replayer.Err(); err != nil {
		r.Diff = append([]string{"  " + err.Error()}, r.Diff...)
	}
	r.Passed = len(r.Diff) == 0
	return r, nil
}

// services give the call the secrets that it had: those of its fixture, or of the
// flags.
func (g golden) services(call *abi.Call, o outside) (sandbox.Services, func(), error) {
	if g.Secrets == nil {
		return outside{secrets: o.secrets}.services(call)
	}
	return sandbox.Services{Secret: func(name string) ([]byte, abi.Status) {
		value, ok := g.Secrets[name]
		if !ok {
			return nil, abi.StatusNotFound
		}
		return []byte(value), abi.StatusOK
	}}, func() {}, nil
}

// diff compares an end with that of the record, as lines. The fuel of another module
// is its own.
func (g golden) diff(end callResult, digest string) ([]string, error) {
	view := func(e callResult) (map[string]any, error) {
		out, err := value(e.Output)
		v := map[string]any{"result": e.Result, "message": e.Message, "fault": e.Fault, "output": out, "effects": texts(e.Effects), "logs": e.Logs}
		if g.Digest == digest {
			v["fuel"] = e.Usage.Fuel
		}
		return v, err
	}
	was, err := view(g.End)
	if err != nil {
		return nil, usage(fmt.Errorf("%s: the output on record: %w", g.place, err))
	}
	now, err := view(end)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(was, func(k string, v any) bool { return bytes.Equal(asJSON(v), asJSON(now[k])) })
	maps.DeleteFunc(now, func(k string, _ any) bool { _, differs := was[k]; return !differs })
	if len(was) == 0 {
		return nil, nil
	}
	return lineDiff(was, now)
}

func asJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return nil // never: it came from JSON
	}
	return text
}

// goldenFile writes the calls of fixtures to a file or a folder.
type goldenFile struct {
	path string
	list []*callRecord
}

// write puts the calls where the flag says: into a file each, or one a line.
func (g *goldenFile) write() (files []string, err error) {
	switch {
	case strings.HasSuffix(g.path, ".ndjson"):
		var b bytes.Buffer
		for _, r := range g.list {
			b.Write(append(asJSON(r), '\n'))
		}
		return []string{g.path}, os.WriteFile(g.path, b.Bytes(), 0o600)
	case strings.HasSuffix(g.path, ".json"):
		if len(g.list) != 1 {
			return nil, usage(fmt.Errorf("--record %s: %d calls are recorded and the file has room for one; name a folder, or a file that ends in .ndjson", g.path, len(g.list)))
		}
		return []string{g.path}, g.list[0].write(g.path)
	}
	if err := os.MkdirAll(g.path, 0o755); err != nil {
		return nil, err
	}
	for _, r := range g.list {
		name := filepath.Join(g.path, slug(r.Test)+recordExt)
		for n := 2; slices.Contains(files, name); n++ {
			name = filepath.Join(g.path, fmt.Sprintf("%s-%d%s", slug(r.Test), n, recordExt))
		}
		if err := r.write(name); err != nil {
			return files, err
		}
		files = append(files, name)
	}
	return files, nil
}

// slug makes the name of a test that of a file.
func slug(name string) string {
	const most = 80
	s := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '-' {
			return unicode.ToLower(r)
		}
		return '-'
	}, clip(name, most))
	return orElse(strings.Trim(s, "-"), "test")
}
