package files

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/rhost/rhost/host/sumline"
)

// journal keeps, by idempotency key, what will be done and what was done. Each
// entry is a file, replaced whole.
type journal struct{ root *os.Root }

// entry is what the journal knows of one key.
type entry struct {
	Key  string          `json:"key"`
	At   time.Time       `json:"at"`
	Plan plan            `json:"plan"`
	Out  json.RawMessage `json:"out,omitempty"` // nil until it is done
}

func openJournal(dir string) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal of file steps: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("journal of file steps: %w", err)
	}
	return &journal{root}, nil
}

func (j *journal) close() error { return j.root.Close() }

// fileOf names the entry of a key, which may hold any characters.
func fileOf(key string) string { return idOf(key) + ".json" }

func idOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

// load returns the entry of a key, if there is one.
func (j *journal) load(key string) (entry, bool, error) {
	b, err := j.root.ReadFile(fileOf(key))
	if errors.Is(err, fs.ErrNotExist) {
		return entry{Key: key}, false, nil
	}
	if err != nil {
		return entry{}, false, failf(KindUnavailable, "read the journal of file steps: %w", err)
	}
	en, err := parseEntry(b)
	if err != nil || en.Key != key {
		return entry{}, false, failf(KindFail, "the journal of file steps is damaged at %s; look at the files, then remove it", fileOf(key))
	}
	return en, true, nil
}

func parseEntry(b []byte) (en entry, err error) {
	if b, err = sumline.Check(b); err == nil {
		err = json.Unmarshal(b, &en)
	}
	return en, err
}

// save writes an entry, on disk when it returns.
func (j *journal) save(key string, en entry) error {
	b, err := json.Marshal(en)
	if err == nil {
		err = j.replace(fileOf(key), sumline.Add(append(b, '\n')))
	}
	if err != nil {
		return failf(KindUnavailable, "%w: %w", ErrJournal, err)
	}
	return nil
}

func (j *journal) replace(name string, b []byte) error {
	tmp := name + ".tmp"
	f, err := j.root.Create(tmp)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := j.root.Rename(tmp, name); err != nil {
		return err
	}
	return syncFolder(j.root, ".")
}

func (j *journal) remove(key string) error {
	if err := j.root.Remove(fileOf(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failf(KindUnavailable, "%w: %w", ErrJournal, err)
	}
	return nil
}

// syncFolder makes the names in a folder durable.
func syncFolder(root *os.Root, name string) error {
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
