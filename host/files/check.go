package files

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// CheckJournal reads every entry of the journal in a folder and returns how many
// there are. The error names those that cannot be read. It writes nothing; a
// folder that is not there has none.
func CheckJournal(dir string) (n int, err error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	j := &journal{root}
	entries, err := fs.ReadDir(root.FS(), ".")
	errs := []error{err}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		n++
		if err := j.check(e.Name()); err != nil {
			errs = append(errs, err)
		}
	}
	return n, errors.Join(append(errs, j.close())...)
}

// check reads the entry in a file.
func (j *journal) check(name string) error {
	b, err := j.root.ReadFile(name)
	if err != nil {
		return failf(KindUnavailable, "read the journal of file steps: %w", err)
	}
	if en, err := parseEntry(b); err != nil || fileOf(en.Key) != name {
		return failf(KindFail, "the journal of file steps is damaged at %s", name)
	}
	return nil
}
