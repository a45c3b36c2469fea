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

	"github.com/rhost/rhost/host/sumline"
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
	// Release is the version that its manifest names.
	Release string `json:"release,omitempty"`
	// Signer is the fingerprint of the trusted key that signed it, and Signature what
	// its .sig file held; "" when nobody did, or nobody looked.
	Signer    string `json:"signer,omitempty"`
	Signature string `json:"signature,omitempty"`
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

// Book is where the versions of plugins are remembered.
type Book interface {
	// Read gives what was written last; nothing when there is nothing yet.
	Read() ([]byte, error)
	// Write remembers text for good, in place of what was written before.
	Write(text []byte) error
}

// FileBook is a Book in the file of that name.
type FileBook string

// Read implements Book. A file that is damaged is an error.
func (f FileBook) Read() ([]byte, error) {
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		text, err = sumline.Check(text)
	}
	if err == nil && len(text) == 0 {
		err = errors.New("it is empty, and was not when it was written")
	}
	if err != nil {
		return nil, f.unreadable(err)
	}
	return text, nil
}

func (f FileBook) unreadable(err error) error {
	return fmt.Errorf("%s: %w; move the file away to begin anew from the app folder", string(f), err)
}

// Write implements Book. It replaces the file in one step.
func (f FileBook) Write(text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(string(f)), ".plugins-")
	if err != nil {
		return err
	}
	_, err = tmp.Write(sumline.Add(append(text, '\n')))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), string(f))
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

// ledger remembers the versions of plugins across restarts, in a book; without one,
// in memory. It is safe for concurrent use.
type ledger struct {
	book Book

	mu      sync.Mutex
	plugins map[string]*entry // guarded by mu
}

// openLedger reads a book, which may be empty.
func openLedger(book Book) (*ledger, error) {
	l := &ledger{book: book, plugins: make(map[string]*entry)}
	if book == nil {
		return l, nil
	}
	text, err := book.Read()
	if err == nil && len(text) > 0 {
		if err = l.parse(text); err != nil {
			if f, ok := book.(FileBook); ok {
				err = f.unreadable(err)
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read the versions of plugins: %w", err)
	}
	return l, nil
}

func (l *ledger) parse(text []byte) error {
	if err := json.Unmarshal(text, &l.plugins); err != nil {
		return err
	}
	for name, e := range l.plugins {
		if e == nil {
			delete(l.plugins, name)
		}
	}
	return nil
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
	e.trim()
	return l.write()
}

// write remembers what is known.
func (l *ledger) write() error {
	if l.book == nil {
		return nil
	}
	text, err := json.MarshalIndent(l.plugins, "", "  ")
	if err == nil {
		err = l.book.Write(text)
	}
	if err != nil {
		return fmt.Errorf("write the versions of plugins: %w", err)
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

// trim forgets the oldest versions, but none that stands.
func (e *entry) trim() {
	for i := 0; i < len(e.Versions) && len(e.Versions) > maxVersions; {
		v := e.Versions[i]
		if v.State == Active || e.Pin != nil && e.Pin.Digest == v.Digest {
			i++
			continue
		}
		e.Versions = slices.Delete(e.Versions, i, i+1)
	}
}

// refused notes a version that waits for an operator's word; the latest alone is
// remembered, so that many of them push none out that were in force.
func (e *entry) refused(v Version) {
	e.Versions = slices.DeleteFunc(e.Versions, func(o Version) bool { return o.State == Refused })
	e.came(v)
}

// standing gives the version that a new one is compared with: the one in force, now
// or when the host was last closed, which is the latest that was not refused or
// rolled back (a rollout that the closing cut short counts as replaced).
func (e *entry) standing(now string) (Version, bool) {
	if now == "" && e.Pin != nil {
		now = e.Pin.Digest
	}
	for _, v := range slices.Backward(e.Versions) {
		if v.Digest == now || now == "" && v.State != Refused && v.State != RolledBack {
			return v, true
		}
	}
	return Version{}, false
}

// active gives the version that was last in force for good.
func (e *entry) active() (Version, bool) {
	for _, v := range slices.Backward(e.Versions) {
		if v.State == Active {
			return v, true
		}
	}
	return Version{}, false
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

// LedgerSummary is what a ledger holds.
type LedgerSummary struct {
	Plugins  int
	Versions int
	Needed   []string // digests of the versions that operators chose, which a start fetches
}

// ReadLedger reads the file in which versions of plugins are remembered, as a start
// does; one that is not there is empty.
func ReadLedger(path string) (LedgerSummary, error) {
	l, err := openLedger(FileBook(path))
	if err != nil {
		return LedgerSummary{}, err
	}
	s := LedgerSummary{Plugins: len(l.plugins)}
	for _, e := range l.plugins {
		s.Versions += len(e.Versions)
		if e.Pin != nil {
			s.Needed = append(s.Needed, e.Pin.Digest)
		}
	}
	return s, nil
}
