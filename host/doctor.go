package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rhost/rhost/host/eventlog"
)

// Verdict is what a check came to.
type Verdict string

// The verdicts.
const (
	Well    Verdict = "ok"
	Warning Verdict = "warning" // the host runs, or will, but somebody should look
	Damage  Verdict = "damage"  // something is lost or not as it was written, or the host will not start
)

// Finding is one thing that a Diagnosis looked at.
type Finding struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`           // in a line
	Means   string  `json:"means,omitempty"` // what follows from it, when it is not ok
	Fix     string  `json:"fix,omitempty"`   // what to do, when it is not ok: a command where there is one
}

// Diagnosis is what a doctor found.
type Diagnosis struct {
	App      string    `json:"app"`
	Data     string    `json:"data"`
	Running  string    `json:"running,omitempty"` // who has the log open; "" when nobody has
	Findings []Finding `json:"checks"`
	Repairs  []Repair  `json:"repairs,omitempty"` // that were made
}

// Worst is the worst verdict of a diagnosis.
func (d *Diagnosis) Worst() Verdict {
	worst := Well
	for i := range d.Findings {
		switch v := d.Findings[i].Verdict; v {
		case Damage:
			return Damage
		case Warning:
			worst = Warning
		case Well:
		}
	}
	return worst
}

// DoctorOptions says what to look at.
type DoctorOptions struct {
	Options
	// Repair makes the repairs that are safe, each after a copy of what it changes
	// was put into the data folder. Without it nothing is written.
	Repair   bool
	Progress func(done, total int64)
	Now      func() time.Time
}

// Doctor looks at an app and its data folder, whose host may be running, and
// says what is well and what is not. Without Repair it writes nothing at all.
// The error says that it could not look.
func Doctor(ctx context.Context, o DoctorOptions) (*Diagnosis, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &doctor{DoctorOptions: o, Diagnosis: Diagnosis{App: o.App}, reader: newRecordReader(), first: make(map[string]uint64)}
	if err := d.folders(); err != nil {
		return nil, err
	}
	d.logDir = filepath.Join(d.Data, "log")
	if err := d.isMember(); err != nil {
		return nil, err
	}
	if o.Repair {
		if err := d.repair(); err != nil {
			return nil, err
		}
	}
	log := d.log
	if c := d.config.Cluster; c != nil && len(c.Servers) > 0 {
		log = d.elsewhere
	}
	for _, look := range []func(context.Context){d.lock, d.space, d.modes, d.cluster, log, d.files, d.clock} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		look(ctx)
	}
	return &d.Diagnosis, ctx.Err()
}

// doctor makes one diagnosis.
type doctor struct {
	DoctorOptions
	Diagnosis
	logDir string
	config Config
	member bool // the log is a part of a cluster's
	reader *recordReader
	newest time.Time // stamp in the log
	blobs  blobReader
	first  map[string]uint64 // first frame of each stream
	done   int64
	total  int64
}

func (d *doctor) add(name string, v Verdict, found, means, fix string) {
	if v == Well {
		means, fix = "", ""
	}
	d.Findings = append(d.Findings, Finding{name, v, found, means, fix})
}

func (d *doctor) well(name, format string, args ...any) {
	d.add(name, Well, fmt.Sprintf(format, args...), "", "")
}

const (
	fixRestore = "restore a backup into another folder: `rhost restore BACKUP NEWDIR`; keep this one as it is until that runs"
	fixApp     = "`rhost validate DIR` says more"
)

// folders reads the app folder and finds the data folder.
func (d *doctor) folders() error {
	data, config, err := dataOf(d.Options)
	var notFolder *fs.PathError
	if err != nil && (errors.As(err, &notFolder) || data == "") {
		return err
	}
	d.Data, d.config = data, config
	if err != nil {
		d.add("rhost.yaml", Damage, firstLine(err), "the host does not start", "correct the file; "+fixApp)
	} else {
		d.well("rhost.yaml", "loads")
	}
	files, err := ReadRules(d.App)
	var rules *RuleSet
	if err == nil {
		rules, err = CompileRules(files)
	}
	if err != nil {
		d.add("rules", Damage, firstLine(err), "the host does not start; one that runs keeps the rules it has", fixApp)
	} else {
		d.well("rules", "%d load", len(rules.all()))
	}
	if err := errors.Join(config.checkSecrets(d.App), policyOf(config, d.App)); err != nil {
		d.add("keys and secrets", Damage, firstLine(err), "the host does not start", "put the file in its place, or set the variable")
	}
	if _, err := os.Stat(d.Data); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not there; nothing has run there yet, or another folder is meant (DIR, --data)", d.Data)
	}
	return nil
}

func policyOf(c Config, app string) error {
	_, err := c.Signatures.policy(app)
	return err
}

// firstLine is the first of the problems that an error tells.
func firstLine(err error) string {
	text := err.Error()
	for i := range text {
		if text[i] == '\n' {
			return text[:i] + " …"
		}
	}
	return text
}

// lock finds out whether a host runs on the folder.
func (d *doctor) lock(context.Context) {
	holder, err := eventlog.Holder(d.logDir)
	switch {
	case err != nil:
		d.add("lock", Warning, err.Error(), "nobody can say whether a host runs here", "look at the permissions of "+d.logDir)
	case holder != "":
		d.Running = holder
		d.well("lock", "held by %s", holder)
	default:
		d.well("lock", "free: no host runs here")
	}
}

// space looks at the room on disk.
func (d *doctor) space(context.Context) {
	free, ok := eventlog.DiskFree(d.Data)
	found := fmt.Sprintf("%d MiB are free", free>>20)
	fix := "make room on the disk of " + d.Data
	switch {
	case !ok:
		d.well("disk", "the system does not tell how much is free")
	case free < eventlog.LeastFree:
		d.add("disk", Damage, found, "the host does not start", fix)
	case free < eventlog.DefaultMinFree:
		d.add("disk", Warning, found, fmt.Sprintf("below %d MiB new events are refused", eventlog.DefaultMinFree>>20), fix)
	case free < 4*eventlog.DefaultMinFree:
		d.add("disk", Warning, found, fmt.Sprintf("below %d MiB new events will be refused", eventlog.DefaultMinFree>>20), fix)
	default:
		d.well("disk", "%s", found)
	}
}

// clock compares the newest stamp of the log with the clock.
func (d *doctor) clock(context.Context) {
	const slack = 5 * time.Second
	switch ahead := d.newest.Sub(d.Now()); {
	case d.newest.IsZero():
		d.well("clock", "there is no stamp to compare it with")
	case ahead > slack:
		d.add("clock", Warning, fmt.Sprintf("the newest stamp of the log, %s, lies %s ahead of the clock", d.newest.Format(time.RFC3339), ahead.Round(time.Second)),
			"stamps do not go back: until the clock has caught up, everything that comes bears that time, and windows and timers stand still",
			"set the clock (`timedatectl set-ntp true`), or wait")
	default:
		d.well("clock", "%s after the newest stamp of the log", (-ahead).Round(time.Second))
	}
}
