package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// State is what became of a version.
type State string

// The states.
const (
	Rolling    State = "rolling out"
	Active     State = "active"
	Replaced   State = "replaced"    // by a later version
	RolledBack State = "rolled back" // it was not good, or an operator went back
	Refused    State = "refused"     // it never took a call
)

// Version is one version of a plugin, as the ledger remembers it.
type Version struct {
	Digest string    `json:"digest"`
	Kind   Kind      `json:"kind"`
	Size   int       `json:"size"`
	At     time.Time `json:"at"`   // when it came, the last time
	From   string    `json:"from"` // where from: a file, or "operator"
	State  State     `json:"state"`
	Reason string    `json:"reason,omitempty"` // why it was rolled back or refused
}

// pin keeps a version in force although the app folder holds another.
type pin struct {
	Digest string `json:"digest"`
	Folder string `json:"folder,omitempty"` // digest of what the folder held then; another one ends the pin
}

// entry is what the ledger knows of one plugin.
type entry struct {
	Versions []Version `json:"versions"` // the latest last
	Pin      *pin      `json:"pin,omitempty"`
}

// maxVersions is how many versions of a plugin are remembered.
const maxVersions = 50

// ledger remembers the versions of plugins across restarts. An empty path keeps
// them in memory. It is safe for concurrent use.
type ledger struct {
	path string

	mu      sync.Mutex
	plugins map[string]*entry // guarded by mu
}

// openLedger reads the file, which need not exist.
func openLedger(path string) (*ledger, error) {
	l := &ledger{path: path, plugins: make(map[string]*entry)}
	if path == "" {
		return l, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &l.plugins)
	}
	if err != nil {
		return nil, fmt.Errorf("read the versions of plugins: %s: %w; move the file away to begin anew from the app folder", path, err)
	}
	for name, e := range l.plugins {
		if e == nil {
			delete(l.plugins, name)
		}
	}
	return l, nil
}

// change lets fn change what is known of a plugin, and writes it down.
func (l *ledger) change(name string, fn func(e *entry)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.plugins[name]
	if !ok {
		e = new(entry)
		l.plugins[name] = e
	}
	fn(e)
	if n := len(e.Versions); n > maxVersions {
		e.Versions = slices.Delete(e.Versions, 0, n-maxVersions)
	}
	return l.write()
}

// write replaces the file in one step.
func (l *ledger) write() error {
	if l.path == "" {
		return nil
	}
	text, err := json.MarshalIndent(l.plugins, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(l.path), ".plugins-")
	if err != nil {
		return fmt.Errorf("write the versions of plugins: %w", err)
	}
	_, err = tmp.Write(append(text, '\n'))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), l.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the versions of plugins: %w", err), os.Remove(tmp.Name()))
	}
	return nil
}

// get gives a copy of what is known of a plugin.
func (l *ledger) get(name string) entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.plugins[name]
	if !ok {
		return entry{}
	}
	out := entry{Versions: slices.Clone(e.Versions)}
	if e.Pin != nil {
		p := *e.Pin
		out.Pin = &p
	}
	return out
}

// orphans names the plugins that no file of the folder stands for.
func (l *ledger) orphans() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for name, e := range l.plugins {
		if e.Pin != nil && e.Pin.Folder == "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// came notes that a version is being rolled out; it is the latest then.
func (e *entry) came(v Version) {
	e.Versions = slices.DeleteFunc(e.Versions, func(o Version) bool { return o.Digest == v.Digest })
	e.Versions = append(e.Versions, v)
}

// became notes the state of a version, and that the one in force before it was
// replaced.
func (e *entry) became(digest string, s State, reason string) {
	for i := range e.Versions {
		v := &e.Versions[i]
		switch {
		case v.Digest == digest:
			v.State, v.Reason = s, reason
		case s == Active && (v.State == Active || v.State == Rolling):
			v.State = Replaced
		}
	}
}

// find gives the version of a digest, or of the beginning of one.
func (e *entry) find(digest string) (Version, error) {
	var found []Version
	for _, v := range e.Versions {
		if v.Digest == digest || len(digest) >= 4 && hasDigits(v.Digest, digest) {
			found = append(found, v)
		}
	}
	switch len(found) {
	case 0:
		return Version{}, fmt.Errorf("version %s is %w", digest, ErrUnknown)
	case 1:
		return found[0], nil
	}
	return Version{}, fmt.Errorf("%d versions begin with %s; give more of the digest", len(found), digest)
}

// before gives the version that was in force before the one given.
func (e *entry) before(digest string) (Version, bool) {
	at := slices.IndexFunc(e.Versions, func(v Version) bool { return v.Digest == digest })
	for i := at - 1; i >= 0; i-- {
		if v := e.Versions[i]; v.State == Replaced || v.State == Active {
			return v, true
		}
	}
	return Version{}, false
}
