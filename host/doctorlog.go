package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/rhost/rhost/host/eventlog"
)

// maxFindings is how many pieces of damage of one kind are told.
const maxFindings = 5

// troubles collects what is wrong with one thing.
type troubles struct {
	list []string
	more int
}

func (f *troubles) add(err error) {
	text := err.Error()
	if corrupt, ok := errors.AsType[*eventlog.CorruptError](err); ok {
		text = strings.TrimSuffix(text, "; "+corrupt.Fix) // the doctor has advice of its own
	}
	if len(f.list) == maxFindings {
		f.more++
		return
	}
	f.list = append(f.list, text)
}

func (f *troubles) String() string {
	text := strings.Join(f.list, "; ")
	if f.more > 0 {
		text += fmt.Sprintf("; and %d more", f.more)
	}
	return text
}

// log reads the streams, frame by frame, and the blobs.
func (d *doctor) log(ctx context.Context) {
	cut, err := eventlog.TakeCut(d.logDir)
	if err != nil {
		d.add("log", Damage, err.Error(), "the log cannot be read", "look at the permissions of "+d.logDir)
		return
	}
	names := cut.Streams()
	if len(names) == 0 {
		d.noLog(cut)
		return
	}
	for _, name := range names {
		d.total += cut.Size(name)
	}
	if !d.member {
		d.witness(cut)
	}
	for _, name := range names {
		// Others are the engine's own, or say where things are.
		if kind, _, _ := strings.Cut(name, "-"); kind == "EV" || kind == "RUN" {
			d.scan(ctx, cut, name)
		}
	}
	d.engineFiles()
	d.blobStream(ctx, cut)
	if d.member {
		d.behind(ctx, cut)
		return
	}
	d.snapshots(ctx, cut)
	d.progress()
}

// progress compares what was decided with what there is.
func (d *doctor) progress() {
	if err := d.reader.checkProgress(); err != nil {
		d.add("progress", Damage, err.Error(), "frames that were decided on are lost", fixRestore)
	} else {
		d.well("progress", "decided up to %s of stream EV", d.reader.progress)
	}
}

// behind looks for what the copy of a node does not have yet: its streams need not be
// of the same moment.
func (d *doctor) behind(ctx context.Context, cut *eventlog.Cut) {
	var bad, lags troubles
	notes, err := cut.SnapshotNotes(ctx, func(err *eventlog.CorruptError) error {
		bad.add(err)
		return nil
	})
	if err != nil {
		bad.add(err)
	}
	if len(bad.list) > 0 {
		d.add("snapshots", Damage, bad.String(), "this node's copy is damaged", fixMember)
	}
	for _, err := range append(d.reader.missing(d.blobs.Get), d.reader.checkProgress(), d.reader.checkSnapshot(notes, d.first, d.blobs.Get)) {
		if err != nil {
			lags.add(err)
		}
	}
	d.partial(&lags)
}

// blobReader is where the blobs of a log are read.
type blobReader interface {
	Digests() []string
	Get(digest string) ([]byte, error)
}

// frames are the streams of a log, in files or on servers.
type frames interface {
	Acked(stream string) (seq uint64, crc uint32, ok bool)
	Scan(ctx context.Context, stream string, from uint64, fn func(*eventlog.Entry) error, bad func(*eventlog.CorruptError) error) (eventlog.Extent, error)
	CheckEnds(stream string, ext eventlog.Extent, sums map[uint64]uint32) error
	SnapshotNotes(ctx context.Context, bad func(*eventlog.CorruptError) error) ([][]byte, error)
}

// noLog tells of a folder without streams, which is well where nothing ran.
func (d *doctor) noLog(cut *eventlog.Cut) {
	if seq, _, ok := cut.Acked("EV"); ok && seq > 0 {
		d.add("log", Damage, fmt.Sprintf("the streams are gone, and frame %d of EV had been stored", seq), "everything is lost", fixRestore)
		return
	}
	d.well("log", "empty")
}

// witness looks at the file that remembers what was acknowledged.
func (d *doctor) witness(cut *eventlog.Cut) {
	var lost []string
	for _, name := range []string{"EV", "RUN"} {
		if _, _, ok := cut.Acked(name); !ok && cut.Size(name) > 0 {
			lost = append(lost, name)
		}
	}
	switch {
	case len(lost) > 0:
		d.add("witness", Warning, "it says nothing of "+strings.Join(lost, " and "),
			"a loss at the end of a stream would not be noticed before the next frame is stored", "nothing: the host writes it anew")
	case d.Running == "" && !cut.Clean():
		d.well("witness", "the host was not closed in good order; the next start checks every block")
	default:
		d.well("witness", "as it should be")
	}
}

// scan reads one stream as a start would, and more.
func (d *doctor) scan(ctx context.Context, cut frames, name string) {
	var bad troubles
	check := eventlog.NewChecker(name)
	sums := make(map[uint64]uint32)
	acked, _, _ := cut.Acked(name)
	records := uint64(0)
	ext, err := cut.Scan(ctx, name, 0, func(e *eventlog.Entry) error {
		d.step(int64(len(e.Body)))
		f, err := check.Check(e.Seq, e.Body)
		if err != nil {
			bad.add(err)
			check.Resume()
			return nil
		}
		if f.Seq == acked {
			sums[acked] = f.Sum
		}
		if records += uint64(f.Count()); f.At.After(d.newest) {
			d.newest = f.At
		}
		if err := d.reader.frame(name, f); err != nil {
			bad.add(fmt.Errorf("frame %d: %w", f.Seq, err))
		}
		return nil
	}, func(err *eventlog.CorruptError) error {
		bad.add(err)
		check.Resume()
		return nil
	})
	if err == nil {
		err = cut.CheckEnds(name, ext, sums)
	}
	if err != nil {
		bad.add(err)
	}
	d.first[name] = ext.First
	what := "stream " + name
	switch {
	case len(bad.list) > 0 && d.member:
		d.add(what, Damage, bad.String(), "this node's copy is damaged; the cluster's log is not, while the other nodes are well", fixMember)
	case len(bad.list) > 0:
		d.add(what, Damage, bad.String(), "what was written there is lost; a host does not start, or stops where it comes to it", fixRestore)
	case ext.Torn > 0 && d.Running == "":
		d.torn(what, ext.Torn, ext.Last)
	default:
		d.well(what, "frames %d to %d, %d records, %d KiB", ext.First, ext.Last, records, ext.Bytes>>10)
	}
}

// snapshots reads where snapshots are, and the newest.
func (d *doctor) snapshots(ctx context.Context, cut frames) {
	var bad troubles
	notes, err := cut.SnapshotNotes(ctx, func(err *eventlog.CorruptError) error {
		bad.add(err)
		return nil
	})
	if err != nil {
		bad.add(err)
	}
	if err := d.reader.checkSnapshot(notes, d.first, d.blobs.Get); err != nil {
		bad.add(err)
	}
	switch released := d.first["EV"] > 1 || d.first["RUN"] > 1; {
	case len(bad.list) == 0 && len(notes) == 0:
		d.well("snapshots", "none yet")
	case len(bad.list) == 0:
		d.well("snapshots", "%d kept; the newest is there", min(len(notes), keptSnapshots))
	case released:
		d.add("snapshots", Damage, bad.String(), "a start takes the snapshot before, if that can be read, and fails else", fixRestore)
	default:
		d.add("snapshots", Warning, bad.String(), "a start takes the snapshot before, or reads the whole log: nothing is lost; after a crash it refuses damaged blocks",
			"start the host, which takes another, or "+fixRestore)
	}
}

func (d *doctor) torn(what string, bytes int64, last uint64) {
	found := fmt.Sprintf("%d bytes of a write that was never acknowledged follow frame %d", bytes, last)
	d.add(what, Warning, found, "nothing is lost; the next start lets go of them", "nothing, or `rhost doctor --repair`, which cuts them off")
}

func (d *doctor) step(n int64) {
	if d.done += n; d.Progress != nil {
		d.Progress(d.done, max(d.total, d.done))
	}
}

// engineFiles looks at what the storage engine can make again.
func (d *doctor) engineFiles() {
	files, err := eventlog.EngineFiles(d.logDir)
	if err != nil {
		d.add("index files", Warning, err.Error(), "they could not be read", "look at the permissions of "+d.logDir)
		return
	}
	var bad troubles
	missing := 0
	for i := range files {
		switch f := &files[i]; {
		case f.Err == nil:
		case errors.Is(f.Err, fs.ErrNotExist):
			missing++
		default:
			bad.add(fmt.Errorf("%s: %w", f.Path, f.Err))
		}
	}
	switch {
	case len(bad.list) > 0 && d.Running == "":
		d.add("index files", Warning, bad.String(), "nothing is lost: the next start makes them again from the blocks", "nothing, or `rhost doctor --repair`, which removes them")
	case missing > 0:
		d.well("index files", "%d are not there; the next start makes them from the blocks", missing)
	default:
		d.well("index files", "as they were written")
	}
}

// blobStream finds the blobs.
func (d *doctor) blobStream(ctx context.Context, cut *eventlog.Cut) {
	var bad troubles
	index, err := cut.Blobs(ctx, func(err *eventlog.CorruptError) error {
		bad.add(err)
		return nil
	})
	if err != nil {
		bad.add(err)
		index = &eventlog.BlobIndex{}
	}
	d.blobs = index
	d.readBlobs(ctx, index, &bad)
}

// readBlobs reads every blob, and looks for those that records need.
func (d *doctor) readBlobs(ctx context.Context, index blobReader, bad *troubles) {
	var lost troubles
	digests := index.Digests()
	for _, digest := range digests {
		b, err := index.Get(digest)
		if err != nil {
			bad.add(err)
		}
		d.step(int64(len(b)))
		if ctx.Err() != nil {
			return
		}
	}
	for _, err := range d.reader.missing(index.Get) {
		if !d.member { // whose copy may be behind
			lost.add(err)
		}
	}
	switch {
	case len(bad.list) > 0 && d.member:
		d.add("blobs", Damage, bad.String(), "this node's copy is damaged", fixMember)
	case len(lost.list) > 0:
		d.add("blobs", Damage, lost.String(), "a start, or the executions that need them, will fail", fixRestore)
	case len(bad.list) > 0:
		d.add("blobs", Damage, bad.String(), "no record needs what is damaged, but a start after a crash refuses it", fixRestore)
	default:
		d.well("blobs", "%d, all with their digests; records need %d", len(digests), len(d.reader.needs))
	}
}
