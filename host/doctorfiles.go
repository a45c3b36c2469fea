package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/rhost/rhost/host/deploy"
	stepfiles "github.com/rhost/rhost/host/files"
)

// files looks at the data files beside the log.
func (d *doctor) files(context.Context) {
	d.ledger()
	d.bundle()
	d.seed()
	n, err := stepfiles.CheckJournal(filepath.Join(d.Data, "files"))
	if err != nil {
		d.add("journal of file steps", Damage, err.Error(), "file steps of these keys fail until a person has looked",
			"look at the files that the step was to change, then remove the entry; or "+fixRestore)
	} else if n > 0 {
		d.well("journal of file steps", "%d entries, all readable", n)
	}
}

// ledger looks at plugins.json, and for the modules that it names.
func (d *doctor) ledger() {
	name := filepath.Join(d.Data, "plugins.json")
	digests, err := deploy.ReadLedger(name)
	if err != nil {
		d.add("plugins.json", Damage, err.Error(), "the host does not start", "move the file away to begin anew from the app folder (what operators chose is forgotten); or "+fixRestore)
		return
	}
	var bad troubles
	for _, digest := range digests.Needed {
		if d.blobs == nil {
			break
		}
		if _, err := d.blobs.Get(digest); err != nil {
			bad.add(err)
		}
	}
	if len(bad.list) > 0 {
		d.add("plugins.json", Damage, bad.String(), "a plugin that an operator chose cannot be loaded", "put the plugin into the app folder again, or `rhost plugin load NAME FILE` once the host runs; or "+fixRestore)
		return
	}
	d.well("plugins.json", "plugins: %d, versions: %d", digests.Plugins, digests.Versions)
}

// bundle looks for one that was being applied.
func (d *doctor) bundle() {
	name := (redo{d.App, d.Data}).path()
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if _, err := parseJob(text, err); err != nil {
		d.add("apply.json", Damage, fmt.Sprintf("%s: %v", name, err), "the host does not start", "move the file away and apply the bundle again")
		return
	}
	d.add("apply.json", Warning, "a bundle was being applied", "the next start finishes it", "`rhost run DIR`")
}

func (d *doctor) seed() {
	name := filepath.Join(d.Data, "seed")
	b, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.well("seed", "none yet")
	case err != nil:
		d.add("seed", Damage, err.Error(), "the host does not start", "look at its permissions")
	default:
		if _, err := checkSeed(name, b); err != nil {
			d.add("seed", Damage, err.Error(), "the host does not start",
				"restore it from a backup, or remove it to have another made: calls that run again then draw other random bytes")
			return
		}
		d.well("seed", "there")
	}
}

// mode is what a file of the data folder may be open to.
type mode struct {
	name string
	most fs.FileMode
	why  string
}

func modes() []mode {
	return []mode{
		{"cache", 0o700, "who can write there has the host run code"},
		{"seed", 0o600, "who can read it knows the random bytes of guests"},
		{"log", 0o700, "who can write there changes what happened"},
		{SocketName, 0o600, "who can open it is the host's operator"},
	}
}

// modes looks at permissions, and whether the folder can be written to.
func (d *doctor) modes(context.Context) {
	if err := writable(d.Data); err != nil {
		d.add("permissions", Damage, fmt.Sprintf("%s: %v", d.Data, err), "the host does not start there as this user", "give the folder to the user who runs the host, or mount the disk for writing")
		return
	}
	if runtime.GOOS == "windows" {
		return // other rules hold there
	}
	var bad troubles
	why := ""
	for _, m := range modes() {
		name := filepath.Join(d.Data, m.name)
		info, err := os.Stat(name)
		if err == nil && info.Mode().Perm()&^m.most != 0 {
			bad.add(fmt.Errorf("%s is open to others (%s)", name, info.Mode().Perm()))
			why = m.why
		}
	}
	if len(bad.list) > 0 {
		d.add("permissions", Warning, bad.String(), why, "`rhost doctor --repair`, or chmod go= on them")
		return
	}
	d.well("permissions", "as they should be")
}
