package host

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rhost/rhost/host/cluster"
	"github.com/rhost/rhost/host/eventlog"
)

const (
	// folderEvery is how often a node compares its app folder with what is in force.
	folderEvery = 2 * time.Second
	// maxDiffers bounds how many files the other nodes are told of.
	maxDiffers = 20
	maxDiffer  = 100 // bytes of one
)

// folderWatch compares a node's app folder with what is in force in the cluster,
// whichever node owns the log. It belongs to one goroutine.
type folderWatch struct {
	app    string
	from   editionSource
	member *cluster.Member
	report func(Notice)
	node   string

	files    folderDigests
	edition  *edition
	note     *editionNote
	settings []byte   // in force
	seen     []string // what was different at the last look
	told     []string // and what was told of
	started  []byte   // rhost.yaml when the node started
	own      []string // its own keys that were told to be others by now
	failed   string   // the error that was told
	looked   bool
}

func newFolderWatch(n *Node, o *eventlog.Onlooker, m *cluster.Member) *folderWatch {
	return &folderWatch{app: n.opts.App, from: o, member: m, report: n.report, node: n.name(), files: folderDigests{app: n.opts.App}}
}

// run looks until ctx ends.
func (w *folderWatch) run(ctx context.Context) error {
	tick := time.NewTicker(folderEvery)
	defer tick.Stop()
	for {
		w.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look compares once. A difference is told when two looks have found it: files that
// are being written are not what anybody means.
func (w *folderWatch) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, clusterTimeout)
	defer cancel()
	list, err := w.compare(ctx)
	if err == nil {
		err = w.lookAtOwn()
	}
	if ctx.Err() != nil {
		return // servers that cannot be reached are told of elsewhere
	}
	if err != nil {
		if text := err.Error(); text != w.failed {
			w.failed = text
			w.report(Notice{Kind: "warning", Text: "the app folder of node " + w.node + " cannot be compared with what is in force", Err: err})
		}
		w.member.Tell([]string{"? " + clipped(err.Error())})
		return
	}
	w.failed = ""
	stable := w.looked && slices.Equal(list, w.seen)
	w.seen, w.looked = list, true
	if stable && !slices.Equal(list, w.told) {
		w.tell(list)
	}
}

// compare gives what is different, or nothing as long as nothing is in force.
func (w *folderWatch) compare(ctx context.Context) ([]string, error) {
	note, err := newestEdition(ctx, w.from)
	if err != nil || note == nil {
		return nil, err
	}
	if w.note == nil || w.note.Digest != note.Digest {
		if err := w.read(ctx, note); err != nil {
			return nil, err
		}
	}
	files, err := w.files.list()
	if err != nil {
		return nil, err
	}
	list := differences(files, w.edition)
	own, err := readSettings(w.app)
	if err != nil {
		return nil, err
	}
	keys, err := differentSettings(sharedKeys(), own, w.settings)
	if err == nil && len(keys) > 0 {
		list = append(list, "~"+settingsFile+" ("+strings.Join(keys, ", ")+")")
	}
	return list, err
}

// lookAtOwn says when what rhost.yaml says of this node is not what it was started with.
func (w *folderWatch) lookAtOwn() error {
	now, err := readSettings(w.app)
	if err != nil {
		return err
	}
	if w.started == nil {
		w.started = append([]byte{}, now...)
	}
	keys, err := differentSettings(ownKeys(), now, w.started)
	if err == nil && !slices.Equal(keys, w.own) {
		if w.own = keys; len(keys) > 0 {
			w.report(Notice{Kind: "warning", Text: fmt.Sprintf("rhost.yaml of node %s has other %s; restart the node to apply it", w.node, strings.Join(keys, ", "))})
		}
	}
	return err
}

// read reads the edition that a note names.
func (w *folderWatch) read(ctx context.Context, note *editionNote) error {
	e, err := readEdition(ctx, w.from, note)
	if err != nil {
		return err
	}
	var settings []byte
	if f, ok := e.file(settingsFile); ok {
		if settings, err = w.from.GetBlob(ctx, f.Digest); err != nil {
			return fmt.Errorf("%w: edition %d: %s: %w", errEdition, note.Number, f.Name, err)
		}
	}
	w.edition, w.note, w.settings = e, note, settings
	return nil
}

// tell says what is different, here and to the other nodes.
func (w *folderWatch) tell(list []string) {
	w.told = list
	short := make([]string, 0, maxDiffers+1)
	for _, name := range list[:min(len(list), maxDiffers)] {
		short = append(short, clipped(name))
	}
	if more := len(list) - maxDiffers; more > 0 {
		short = append(short, fmt.Sprintf("and %d more", more))
	}
	w.member.Tell(short)
	if len(list) == 0 {
		w.report(Notice{Kind: "folder", Text: "the app folder of node " + w.node + " has what is in force"})
		return
	}
	w.report(Notice{Kind: "warning", Text: fmt.Sprintf("the app folder of node %s differs from what is in force (edition %d): %s; it changes nothing by itself: `rhost apply -f %s --prune --settings` puts it in force",
		w.node, w.note.Number, strings.Join(short, " "), w.app)})
}

func clipped(s string) string {
	if len(s) <= maxDiffer {
		return s
	}
	return strings.ToValidUTF8(s[:maxDiffer], "") + "…"
}
