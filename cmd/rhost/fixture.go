package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rhost/rhost/abi"
	"github.com/rhost/rhost/event"
	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/sandbox"
	"github.com/rhost/rhost/yamldoc"
)

// fixture is one document of a file of tests: a call, what the call finds, and what
// is expected of it.
type fixture struct {
	Name    string
	Event   *yamldoc.Node
	With    map[string]any
	Config  map[string]any
	Match   fixtureMatch
	Attempt int
	Key     string

	State   map[string]any    // JSON values, at version 1
	KV      map[string]string // texts
	Secrets map[string]string
	Now     string
	Deny    []string // capabilities that are not granted
	HTTP    []exchange
	Limits  fixtureLimits

	Want *yamldoc.Node

	file string
	pos  yamldoc.Pos
}

type fixtureMatch struct {
	Tenant, Rule, Version, ID, Trigger string
	At                                 string
	Bind                               map[string][]string
}

type fixtureLimits struct {
	Fuel     int64
	Memory   yamldoc.Bytes
	Deadline time.Duration
}

// exchange is a request that a plugin makes, and what comes back: an answer, or
// the name of a status.
type exchange struct {
	Method, URL string
	Want        *yamldoc.Node // of the request's body, when it matters
	Headers     map[string]string
	Status      int
	Body        *yamldoc.Node
	Error       string

	used bool
}

// fixtureFiles are the tests of a plugin: tests/ in its folder, or NAME.test.yaml
// beside a plugin that is one file.
func fixtureFiles(f deploy.Found) ([]string, error) {
	dir := f.Source
	if dir == "" && filepath.Base(filepath.Dir(f.File)) == f.Name {
		dir = filepath.Dir(f.File)
	}
	var files []string
	if dir != "" {
		entries, err := os.ReadDir(filepath.Join(dir, "tests"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(e.Name())) && !isRecordFile(e.Name()) {
				files = append(files, filepath.Join(dir, "tests", e.Name()))
			}
		}
	}
	for _, ext := range []string{".test.yaml", ".test.json"} {
		beside := strings.TrimSuffix(f.File, filepath.Ext(f.File)) + ext
		if _, err := os.Stat(beside); err == nil {
			files = append(files, beside)
		}
	}
	return files, nil
}

// readFixtures reads the documents of a file.
func readFixtures(file string) ([]*fixture, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	docs, err := yamldoc.Parse(relative(file), text)
	errs := []error{err}
	var list []*fixture
	for i, doc := range docs {
		fx := &fixture{file: file, pos: doc.Pos}
		if err := yamldoc.Decode(doc, fx); err != nil {
			errs = append(errs, err)
			continue
		}
		if fx.Want == nil {
			errs = append(errs, fmt.Errorf("%s: want: say what is expected, as {result: ok, output: …, effects: […], logs: […]}", doc.Pos))
			continue
		}
		if fx.Name == "" {
			fx.Name = strings.TrimSuffix(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), ".test")
			if len(docs) > 1 {
				fx.Name += fmt.Sprint(" ", i+1)
			}
		}
		list = append(list, fx)
	}
	return list, errors.Join(errs...)
}

// call is the call that the fixture describes.
func (fx *fixture) call() (*abi.Call, error) {
	m := fx.Match
	c := &abi.Call{
		Attempt: max(fx.Attempt, 1), Key: orElse(fx.Key, "key-1"),
		Match: abi.Match{
			Tenant: orElse(m.Tenant, "default"), Rule: orElse(m.Rule, "test"), Version: orElse(m.Version, "1"), ID: orElse(m.ID, "match-1"),
			At: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Trigger: "time", Bind: m.Bind,
		},
	}
	if c.Match.Bind == nil {
		c.Match.Bind = map[string][]string{}
	}
	var err error
	if c.With, err = object(fx.With); err != nil {
		return nil, err
	}
	if c.Config, err = object(fx.Config); err != nil {
		return nil, err
	}
	if fx.Event != nil {
		if err := fx.setEvent(c); err != nil {
			return nil, fmt.Errorf("event: %w", err)
		}
	}
	if m.Trigger != "" {
		c.Match.Trigger = m.Trigger
	}
	if m.At != "" {
		if c.Match.At, err = time.Parse(time.RFC3339Nano, m.At); err != nil {
			return nil, fmt.Errorf("match.at: %w", err)
		}
	}
	return c, nil
}

func (fx *fixture) setEvent(c *abi.Call) error {
	text, err := json.Marshal(fx.Event.Any())
	if err != nil {
		return err
	}
	if c.Event, err = event.ParseLoose(text); err != nil {
		return err
	}
	c.Event.ID, c.Event.Source = orElse(c.Event.ID, "event-1"), orElse(c.Event.Source, "/rhost/test")
	c.Match.Trigger = c.Event.ID
	if !c.Event.Time.IsZero() {
		c.Match.At = c.Event.Time
	}
	return nil
}

func (fx *fixture) limits() sandbox.Limits {
	return sandbox.Limits{Fuel: fx.Limits.Fuel, Memory: orElse(int64(fx.Limits.Memory), 32<<20), Deadline: orElse(fx.Limits.Deadline, 5*time.Second)}
}

// grant is what the plugin asks for, without what the fixture denies.
func (fx *fixture) grant(needs []abi.Capability) (abi.Grant, error) {
	var grant abi.Grant
	for _, name := range fx.Deny {
		if !slices.Contains(abi.Capabilities(), abi.Capability(name)) {
			return nil, fmt.Errorf("deny: there is no capability %s; there are %v", name, abi.Capabilities())
		}
	}
	for _, c := range needs {
		if !slices.Contains(fx.Deny, string(c)) {
			grant = append(grant, c)
		}
	}
	return grant, nil
}

func object(m map[string]any) (json.RawMessage, error) {
	if m == nil {
		return nil, nil
	}
	return json.Marshal(m)
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
