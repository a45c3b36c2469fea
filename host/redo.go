package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/rhost/rhost/host/sumline"
)

// redo writes several files of an app folder so that a crash leaves all of them as
// they were, or all of them new after the next start: what is to be done is
// written down in the data folder first, in one file.
type redo struct{ app, data string }

// job is what there is to do.
type job struct {
	Write  map[string][]byte `json:"write"` // by name relative to the app folder
	Remove []string          `json:"remove"`
}

func (r redo) path() string { return filepath.Join(r.data, "apply.json") }

// begin writes down what there is to do. From when it returns, it will be done.
func (r redo) begin(changes []FileChange, files map[string][]byte) error {
	j := job{Write: make(map[string][]byte)}
	for _, c := range changes {
		if c.Action == "remove" {
			j.Remove = append(j.Remove, c.Name)
		} else {
			j.Write[c.Name] = files[c.Name]
		}
	}
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	if err := writeDurably(r.path(), sumline.Add(append(text, '\n'))); err != nil {
		return fmt.Errorf("note the bundle: %w", err)
	}
	return nil
}

// finish does what was written down, if anything was.
func (r redo) finish() error {
	text, err := os.ReadFile(r.path())
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // opening the data folder says it better
		return nil
	}
	j, err := parseJob(text, err)
	if err != nil {
		return fmt.Errorf("finish a bundle that was being applied: %s: %w", r.path(), err)
	}
	for _, name := range j.order() {
		if err := checkBundled(name); err != nil {
			return fmt.Errorf("finish a bundle that was being applied: %s: %w", r.path(), err)
		}
		full := filepath.Join(r.app, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return fmt.Errorf("apply %s: %w", name, err)
		}
		if err := writeDurably(full, j.Write[name]); err != nil {
			return fmt.Errorf("apply %s: %w", name, err)
		}
	}
	for _, name := range j.Remove {
		if err := checkBundled(name); err != nil {
			return fmt.Errorf("finish a bundle that was being applied: %s: %w", r.path(), err)
		}
		if err := os.Remove(filepath.Join(r.app, filepath.FromSlash(name))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("apply: remove %s: %w", name, err)
		}
	}
	return os.Remove(r.path())
}

// parseJob reads what was written down, unless it could not be read.
func parseJob(text []byte, err error) (j job, _ error) {
	if err == nil {
		text, err = sumline.Check(text)
	}
	if err == nil {
		err = json.Unmarshal(text, &j)
	}
	return j, err
}

// order puts what is built after what it is built from, or a start would build it
// again.
func (j *job) order() []string {
	var source, built []string
	for name := range j.Write {
		if strings.HasSuffix(name, ".wasm") {
			built = append(built, name)
		} else {
			source = append(source, name)
		}
	}
	slices.Sort(source)
	slices.Sort(built)
	return append(source, built...)
}

// writeDurably replaces a file in one step that a crash does not undo.
func writeDurably(name string, text []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(name), ".apply-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(text)
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), name); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(name))
}

// syncFolder makes the names in a folder last.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
