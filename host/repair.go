package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rhost/rhost/host/eventlog"
)

// Repair is a repair that was made.
type Repair struct {
	Kind string `json:"kind"` // index, tail or mode
	Path string `json:"path"`
	Did  string `json:"did"`
	Kept string `json:"kept,omitempty"` // where a copy is of what was changed
}

// repairedName is the folder, in the data folder, of what repairs have changed.
const repairedName = "repaired"

// repairer makes the repairs that are safe: what it removes can be made again, was
// never acknowledged, or is a permission. It keeps a copy of every byte.
type repairer struct {
	data, logDir string
	kept         string // folder for the copies, made with the first
	made         []Repair
}

// repair makes all repairs. The log must not be open.
func (d *doctor) repair() error {
	r := &repairer{data: d.Data, logDir: d.logDir}
	r.kept = filepath.Join(d.Data, repairedName, d.Now().UTC().Format("20060102T150405.000Z"))
	unlock := func() error { return nil }
	if _, err := os.Stat(d.logDir); err == nil {
		unlock, err = eventlog.LockFolder(d.logDir, "rhost doctor --repair")
		if err != nil {
			return fmt.Errorf("repair: %w", err)
		}
	}
	var err error
	if !d.member { // whose copy the other nodes mend
		err = errors.Join(r.tails(), r.indexes())
	}
	err = errors.Join(err, r.modes(), unlock())
	d.Repairs = r.made
	if err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	return nil
}

// tails cuts off writes that were never acknowledged.
func (r *repairer) tails() error {
	tails, err := eventlog.TornTails(r.logDir)
	if err != nil {
		return err
	}
	for i := range tails {
		t := &tails[i]
		kept, err := r.keep(t.Path+fmt.Sprintf(".from-%d", t.At), t.Bytes)
		if err != nil {
			return err
		}
		if err := t.Cut(); err != nil {
			return err
		}
		r.made = append(r.made, Repair{"tail", t.Path, fmt.Sprintf("cut off %d bytes of a write that was never acknowledged", len(t.Bytes)), kept})
	}
	return nil
}

// indexes removes index files that are damaged. The descriptions of streams are
// written anew by the next start itself.
func (r *repairer) indexes() error {
	files, err := eventlog.EngineFiles(r.logDir)
	if err != nil {
		return err
	}
	for i := range files {
		f := &files[i]
		if !f.Index || f.Err == nil || errors.Is(f.Err, fs.ErrNotExist) {
			continue
		}
		b, err := os.ReadFile(f.Path)
		if err != nil {
			return err
		}
		kept, err := r.keep(f.Path, b)
		if err == nil {
			err = os.Remove(f.Path)
		}
		if err != nil {
			return err
		}
		r.made = append(r.made, Repair{"index", f.Path, "removed it: the next start makes it again from the blocks", kept})
	}
	return nil
}

// modes takes permissions away that others should not have.
func (r *repairer) modes() error {
	for _, m := range modes() {
		name := filepath.Join(r.data, m.name)
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		was := info.Mode().Perm()
		if was&^m.most == 0 {
			continue
		}
		if err := os.Chmod(name, was&m.most); err != nil {
			return err
		}
		r.made = append(r.made, Repair{Kind: "mode", Path: name, Did: fmt.Sprintf("permissions %s, which were %s", was&m.most, was)})
	}
	return nil
}

// keep writes a copy of what is about to be changed.
func (r *repairer) keep(path string, b []byte) (string, error) {
	rel, err := filepath.Rel(r.data, path)
	if err != nil {
		return "", err
	}
	name := filepath.Join(r.kept, rel)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return "", err
	}
	return name, writeDurably(name, b)
}
