package eventlog

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// leastFree is the room on disk without which a log cannot even be opened.
const leastFree = 4 << 20

// A folder is the engine's folder on this machine's disk: locked for this
// process, and with a witness for each group.
type folder struct {
	dir    string
	logger *slog.Logger
	lock   *os.File

	checked bool // the streams are this process's to check, and have witnesses

	mu     sync.Mutex // guards the rest
	groups map[int]*witness
	unsure bool // something stored may not be what a clean stop would vouch for
}

// openFolder takes dir for this process and, if checked, reads what was left behind
// when it was last open, before the storage engine changes anything.
func openFolder(dir, owner string, logger *slog.Logger, checked bool) (*folder, error) {
	if err := prepareDir(dir); err != nil {
		return nil, err
	}
	lock, err := lockDir(dir, owner)
	if err != nil {
		return nil, explain(err)
	}
	f := &folder{dir: dir, logger: logger, lock: lock, checked: checked, groups: make(map[int]*witness)}
	if free, ok := diskFree(dir); ok && free < leastFree {
		err = fmt.Errorf("%w: %d KiB are free, a log needs %d KiB to start; make room, or keep the log elsewhere (data_dir in rhost.yaml, or --data)", ErrDiskFull, free>>10, leastFree>>10)
	} else if checked {
		err = explain(f.inspect())
	}
	if err != nil {
		f.doubt()
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// prepareDir makes sure that dir is a folder to write in.
func prepareDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		return nil
	}
	info, statErr := os.Stat(dir)
	switch {
	case statErr == nil && !info.IsDir():
		return errors.New("it is a file, not a folder")
	case statErr == nil:
		return nil
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("its parent folder is missing: %w", err)
	}
	return fmt.Errorf("the folder cannot be created: %w", err)
}

// explain adds what an operator can do to errors of the file system.
func explain(err error) error {
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("the folder is not writable: %w", err)
	}
	return err
}

// nameFolder says what was being done to which folder.
func nameFolder(doing, dir string, err error) error {
	if abs, absErr := filepath.Abs(dir); absErr == nil {
		dir = abs
	}
	if errors.Is(err, syscall.ENOSPC) && !errors.Is(err, ErrDiskFull) {
		err = fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	if locked := (*LockedError)(nil); errors.As(err, &locked) {
		return err // it names the folder already
	}
	return fmt.Errorf("%s %s: %w", doing, dir, err)
}

// inspect opens the witnesses. Unless the folder was closed in good order, it
// checks the stored streams against them; else those that the engine will not
// take by their index, for it reads the blocks then, and changes them.
func (f *folder) inspect() error {
	first, said, err := f.witnessOf(0)
	if err != nil {
		return err
	}
	groups, err := f.listGroups()
	if err != nil {
		return err
	}
	clean := said[slotClean] != nil && said[slotClean].seq == 1
	for _, group := range groups {
		if err := f.check(group, clean); err != nil {
			return err
		}
	}
	if err := f.checkStream(blobStream, clean, nil, nil); err != nil {
		return err
	}
	return first.sayClean(false)
}

// check reads the streams of a group.
func (f *folder) check(group int, clean bool) error {
	_, said, err := f.witnessOf(group)
	if err != nil {
		return err
	}
	for slot, kind := range slotKinds {
		name, _ := kind.NamesOf(group)
		if err := f.checkStream(name, clean, said[slot], said[slot+slotEventFloor]); err != nil {
			return err
		}
	}
	return f.checkStream(groupName(noteStream, group), clean, nil, nil)
}

// checkStream reads a stream before the engine does, unless the engine, in a
// folder that was closed in good order, will take its index for it.
func (f *folder) checkStream(name string, clean bool, said, floor *testimony) error {
	if clean {
		if ok, err := vouched(f.dir, name); ok || err != nil {
			return err
		}
	}
	torn, err := preflight(f.dir, name, said, floor)
	if err == nil && torn > 0 {
		f.logger.Info("the log was not closed in good order; a write that was never acknowledged is dropped",
			"stream", name, "bytes", torn)
	}
	return err
}

// listGroups returns the groups that have a witness or an event stream here.
func (f *folder) listGroups() ([]int, error) {
	groups := []int{0}
	for _, place := range []struct{ dir, prefix string }{
		{f.dir, witnessName + "-"},
		{filepath.Join(f.dir, filepath.FromSlash(streamsPath)), "EV-"},
	} {
		entries, err := os.ReadDir(place.dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			digits, ok := strings.CutPrefix(e.Name(), place.prefix)
			group, err := strconv.Atoi(digits)
			if ok && err == nil && group > 0 && group <= maxGroup {
				groups = append(groups, group)
			}
		}
	}
	return groups, nil
}

// witnessOf returns the group's witness and what it says now.
func (f *folder) witnessOf(group int) (w *witness, said [witnessSlots]*testimony, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w = f.groups[group]; w == nil {
		if w, err = openWitness(f.dir, groupName(witnessName, group)); err != nil {
			return nil, said, err
		}
		f.groups[group] = w
	}
	said, err = w.read()
	return w, said, err
}

// doubt makes the next start check everything that is stored.
func (f *folder) doubt() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unsure = true
}

// close gives the folder back, last things first.
func (f *folder) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for group, w := range f.groups {
		if group == 0 && !f.unsure {
			err := writeInventory(f.dir)
			if err == nil {
				err = w.sayClean(true)
			}
			errs = append(errs, err)
		}
		errs = append(errs, w.close())
	}
	return errors.Join(append(errs, f.lock.Close())...)
}
