package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rhost/rhost/host/deploy"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/sandbox"
)

const (
	// inForceDir is the folder, in a node's data folder, of the files in force while the
	// node owns the log. It is made anew whenever it takes it over.
	inForceDir = "inforce"
	// recordTimeout bounds one record of what is in force.
	recordTimeout = 15 * time.Second
	// recordAgain is how long after a failed one it is tried again.
	recordAgain = time.Second
)

// editions is what the owner of a cluster's log has in force, and what it records of
// that. A change is recorded before it is made: if the owner ends in between, the next
// one makes it. It is safe for concurrent use. The nil *editions is that of a host
// that is alone, where the app folder is in force.
type editions struct {
	blobs  blobs
	log    *eventlog.Log
	node   string
	epoch  uint64
	dir    string // has the files in force
	now    func() time.Time
	logger *slog.Logger
	alien  bool // nothing was on record, or it does not count: the files are the app folder's
	adopt  bool // it does not count

	mu     sync.Mutex
	cur    edition      // guarded by mu
	noted  *editionNote // guarded by mu; the newest on record, as far as is known; nil: none
	begun  bool         // guarded by mu; what this owner has in force is on record
	behind bool         // guarded by mu; something is in force that is not on record
	broken chan error   // what was recorded cannot be put in force here
}

// openEditions reads what is in force and puts its files into the folder dir. Files
// that the app folder or dir have already are taken from there, by their digests.
func openEditions(ctx context.Context, h *Host) (*editions, error) {
	e := &editions{
		blobs: h.blobs, log: h.log, node: h.place.node, epoch: h.place.epoch, dir: filepath.Join(h.place.data, inForceDir),
		now: h.clock.now, logger: h.logger, adopt: h.place.adopt, broken: make(chan error, 1),
	}
	var err error
	if e.noted, err = newestEdition(ctx, onRecord{h.log}); err != nil && !h.place.adopt {
		return nil, fmt.Errorf("%w; %s", err, adoptFix)
	}
	if e.noted == nil || h.place.adopt {
		e.alien = true
		return e, e.take(ctx, h)
	}
	cur, err := readEdition(ctx, onRecord{h.log}, e.noted)
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, adoptFix)
	}
	e.cur = *cur
	return e, e.fill(ctx, h.app)
}

// adoptFix is what to do when nothing else helps.
const adoptFix = "if none can take the log over, `rhost run --adopt` on one puts its own app folder in force"

// onRecord is the owner's log as an editionSource.
type onRecord struct{ *eventlog.Log }

func (o onRecord) Newest(ctx context.Context) (e eventlog.Edition, ok bool, err error) {
	list, err := o.Editions().Newest(ctx, 1)
	if err != nil || len(list) == 0 {
		return e, false, err
	}
	return list[0], true, nil
}

// take makes an edition of the app folder. Where nothing was on record, the ledger of
// the data folder goes with it, from when the node was alone.
func (e *editions) take(ctx context.Context, h *Host) error {
	if err := buildPlugins(ctx, h.app, h.building); err != nil {
		return err
	}
	names, err := sharedFiles(h.app)
	if err != nil {
		return err
	}
	texts := make(map[string][]byte, len(names))
	for _, name := range names {
		if texts[name], err = ReadRuleFile(filepath.Join(h.app, filepath.FromSlash(name))); err != nil {
			return err
		}
		e.cur.put(name, texts[name])
	}
	if !h.place.adopt {
		if e.cur.Ledger, err = deploy.FileBook(filepath.Join(h.place.data, "plugins.json")).Read(); err != nil {
			return err
		}
	}
	return e.write(func(f editionFile) ([]byte, error) { return texts[f.Name], nil })
}

// fill puts the files of the edition in force into the folder.
func (e *editions) fill(ctx context.Context, app string) error {
	return e.write(func(f editionFile) ([]byte, error) {
		for _, dir := range []string{e.dir, app} {
			b, err := ReadRuleFile(filepath.Join(dir, filepath.FromSlash(f.Name)))
			if err == nil && sandbox.Digest(b) == f.Digest {
				return b, nil
			}
		}
		b, err := e.blobs.GetBlob(ctx, f.Digest)
		if err == nil && sandbox.Digest(b) != f.Digest {
			err = fmt.Errorf("the store gave %s in place of %s", sandbox.Digest(b), f.Digest)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: edition %d: %s: %w; a node goes on whose app folder has that file as it was; %s", errEdition, e.noted.Number, f.Name, err, adoptFix)
		}
		return b, nil
	})
}

// write makes the folder anew. What get gives may come from the folder as it was.
func (e *editions) write(get func(editionFile) ([]byte, error)) error {
	fail := func(err error) error { return fmt.Errorf("put what is in force into %s: %w", e.dir, err) }
	next := e.dir + ".new"
	if err := os.RemoveAll(next); err != nil {
		return fail(err)
	}
	if err := os.MkdirAll(next, 0o700); err != nil {
		return fail(err)
	}
	for _, f := range e.cur.Files {
		b, err := get(f)
		if err != nil {
			return err
		}
		if err := writeInto(next, f.Name, b); err != nil {
			return fail(err)
		}
	}
	if err := os.RemoveAll(e.dir); err != nil {
		return fail(err)
	}
	if err := os.Rename(next, e.dir); err != nil {
		return fail(err)
	}
	return nil
}

// fetch gives a version of a plugin: out of the folder when it is in force, else out of
// the log.
func (e *editions) fetch(ctx context.Context, digest string) ([]byte, error) {
	e.mu.Lock()
	i := slices.IndexFunc(e.cur.Files, func(f editionFile) bool { return f.Digest == digest })
	name := ""
	if i >= 0 {
		name = e.cur.Files[i].Name
	}
	e.mu.Unlock()
	if name != "" {
		b, err := ReadRuleFile(filepath.Join(e.dir, filepath.FromSlash(name)))
		if err == nil && sandbox.Digest(b) == digest {
			return b, nil
		}
	}
	return e.blobs.GetBlob(ctx, digest)
}

// writeInto writes a file of a folder. It need not survive a crash: the log has it.
func writeInto(dir, name string, b []byte) error {
	full := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		return err
	}
	return os.WriteFile(full, b, 0o600)
}

// settings is the text of rhost.yaml in force; nil where the app folder's is.
func (e *editions) settings() ([]byte, error) {
	if e == nil {
		return nil, nil
	}
	b, err := readSettings(e.dir)
	if b == nil {
		b = []byte{}
	}
	return b, err
}

// name is a file of the folder as the edition calls it.
func (e *editions) name(file string) string {
	name, err := filepath.Rel(e.dir, file)
	if err != nil {
		return file
	}
	return filepath.ToSlash(name)
}

// Read implements deploy.Book.
func (e *editions) Read() ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.cur.Ledger, nil
}

// Write implements deploy.Book. Until begin, nothing is recorded.
func (e *editions) Write(ledger []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cur.Ledger = ledger
	if !e.begun {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
	defer cancel()
	return e.record(ctx, "versions of plugins")
}

// begin records what this owner has put in force. From then on a change that an owner
// before was about to record is refused; one that came in since it was read ends this
// one, and the next begins with it.
func (e *editions) begin(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	why := "node " + e.node + " has taken the log over"
	if e.alien {
		why = "the app folder of node " + e.node
		if err := e.store(ctx, e.cur.Files); err != nil {
			return err
		}
	}
	if err := e.record(ctx, why); err != nil {
		return err
	}
	e.begun = true
	return nil
}

// store keeps files of the folder by their digests.
func (e *editions) store(ctx context.Context, files []editionFile) error {
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(e.dir, filepath.FromSlash(f.Name)))
		if err == nil && sandbox.Digest(b) == f.Digest { // it has not been changed meanwhile
			err = e.blobs.PutBlob(ctx, f.Digest, b)
		}
		if err != nil {
			return fmt.Errorf("keep %s: %w", f.Name, err)
		}
	}
	return nil
}

// useRules puts other rules into the edition, before begin: those that a log has of
// old.
func (e *editions) useRules(files []RuleFile) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, folder := range ruleFolders() {
		e.cur.Files = slices.DeleteFunc(e.cur.Files, func(f editionFile) bool { return strings.HasPrefix(f.Name, folder.name+"/") })
		if err := os.RemoveAll(filepath.Join(e.dir, folder.name)); err != nil {
			return err
		}
	}
	for _, f := range files {
		e.cur.put(f.Name, []byte(f.Text))
		if err := writeInto(e.dir, f.Name, []byte(f.Text)); err != nil {
			return err
		}
	}
	return nil
}

// change records other files, and then puts them into the folder.
func (e *editions) change(ctx context.Context, why string, changes []FileChange, files map[string][]byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	before := e.cur
	e.cur.Files = slices.Clone(e.cur.Files)
	for _, c := range changes {
		if c.Action == "remove" {
			e.cur.remove(c.Name)
			continue
		}
		b := files[c.Name]
		e.cur.put(c.Name, b)
		if err := e.blobs.PutBlob(ctx, sandbox.Digest(b), b); err != nil {
			e.cur = before
			return fmt.Errorf("keep %s: %w", c.Name, err)
		}
	}
	// A caller who goes away leaves no doubt about what is on record.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := e.record(ctx, why); err != nil {
		// What is in force is recorded anew, in case that it was stored after all.
		e.cur, e.behind = before, true
		return fmt.Errorf("%w; nothing has changed, unless another node takes the log over just now: see `rhost cluster status`", err)
	}
	for _, c := range changes {
		var err error
		if c.Action == "remove" {
			if err = os.Remove(filepath.Join(e.dir, filepath.FromSlash(c.Name))); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		} else {
			err = writeInto(e.dir, c.Name, files[c.Name])
		}
		if err != nil {
			e.fail(err)
			return fmt.Errorf("put %s in force: %w", c.Name, err)
		}
	}
	return nil
}

// fail ends the host: what is in force here is not what is on record, or nobody knows.
func (e *editions) fail(err error) {
	select {
	case e.broken <- fmt.Errorf("what was recorded is not in force here: %w", err):
	default: // it ends already
	}
}

// after names the files that there would be after a change, sorted.
func (e *editions) after(changes []FileChange) (names []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	there := make(map[string]bool)
	for _, f := range e.cur.Files {
		there[f.Name] = true
	}
	for _, c := range changes {
		there[c.Name] = c.Action != "remove"
	}
	for name, ok := range there {
		if ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// record writes down what is in force. e.mu is held.
func (e *editions) record(ctx context.Context, why string) error {
	b, err := e.cur.encode()
	if err != nil {
		return err
	}
	digest := sandbox.Digest(b)
	if !e.behind && e.noted != nil && e.noted.Digest == digest && e.noted.Epoch == e.epoch {
		return nil
	}
	e.behind = true
	if err := e.blobs.PutBlob(ctx, digest, b); err != nil {
		return fmt.Errorf("record what is in force: %w", err)
	}
	var next *editionNote
	err = e.log.Editions().Append(ctx, func(newest []byte) (body []byte, err error) {
		next, body, err = e.next(ctx, newest, digest, why)
		return body, err
	})
	if err != nil {
		return fmt.Errorf("record what is in force: %w", err)
	}
	e.noted, e.behind = next, false
	e.logger.Info("what is in force is recorded", "edition", next.Number, "digest", short(digest), "why", why)
	return nil
}

// next makes the note that follows the newest.
func (e *editions) next(ctx context.Context, newest []byte, digest, why string) (*editionNote, []byte, error) {
	n := &editionNote{Version: editionVersion, Number: 1, Digest: digest, Epoch: e.epoch, Node: e.node, At: e.now().UTC(), Why: why}
	if newest != nil {
		last, err := decodeEditionNote(newest)
		switch {
		case err != nil && e.adopt && !e.begun: // an operator has said that it does not count
		case err != nil:
			return nil, nil, err
		case last.Epoch > e.epoch && e.overtaken(ctx):
			return nil, nil, fmt.Errorf("%w: node %s has recorded edition %d since", eventlog.ErrFenced, last.Node, last.Number)
		case !e.begun && !e.adopt && (e.noted == nil || last.Number != e.noted.Number || last.Digest != e.noted.Digest):
			return nil, nil, fmt.Errorf("node %s has recorded edition %d meanwhile; begin with that", last.Node, last.Number)
		default:
			n.Number = last.Number + 1
		}
	}
	body, err := encodeNote(n)
	return n, body, err
}

// overtaken reports whether a note of a higher epoch than this owner's tells that
// another one has come. Of an owner that has recorded something it does. For one that
// begins it may be from before the log was restored into a cluster, whose epochs begin
// anew: then no claim is newer than this owner's.
func (e *editions) overtaken(ctx context.Context) bool {
	return e.begun || e.log.StillOurs(ctx) != nil
}

// keep records what could not be recorded when it changed, until ctx ends, and returns
// the error for which the host must end.
func (e *editions) keep(ctx context.Context) error {
	e.mu.Lock()
	files := slices.Clone(e.cur.Files)
	e.mu.Unlock()
	if err := e.store(ctx, files); err != nil && ctx.Err() == nil { // in case that one was lost
		e.logger.Warn("a file in force cannot be kept in the log", "error", err)
	}
	tick := time.NewTicker(recordAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-e.broken:
			return err
		case <-tick.C:
		}
		if err := e.catchUp(ctx); err != nil && ctx.Err() == nil {
			e.logger.Warn("what is in force is not on record yet", "error", err)
		}
	}
}

func (e *editions) catchUp(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.behind {
		return nil
	}
	return e.record(ctx, "versions of plugins")
}

// mark visits the bytes of the editions on record, which name the blobs that they
// need. Of one that is older than the newest, nothing is needed that is gone.
func (e *editions) mark(ctx context.Context, text func([]byte)) error {
	list, err := e.log.Editions().Newest(ctx, eventlog.NotesKept)
	if err != nil {
		return err
	}
	for i, one := range list {
		if one.Err != nil {
			return one.Err
		}
		text(one.Body)
		n, err := decodeEditionNote(one.Body)
		if err != nil {
			return err
		}
		b, err := e.log.GetBlob(ctx, n.Digest)
		if err != nil && (i == 0 || !errors.Is(err, eventlog.ErrNotFound)) {
			return err
		}
		text(b)
	}
	return nil
}
