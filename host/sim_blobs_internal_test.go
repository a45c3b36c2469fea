package host

import (
	"context"
	"fmt"
	"slices"

	"github.com/rhost/rhost/host/eventlog"
)

// simEverything are all blobs that a group ever had, whatever became of them.
type simEverything struct{ g *simGroup }

func (simEverything) PutBlob(context.Context, string, []byte) error { return nil }

func (e simEverything) GetBlob(_ context.Context, digest string) ([]byte, error) {
	if b, ok := e.g.blobs[digest]; ok {
		return b, nil
	}
	return nil, eventlog.ErrNotFound
}

// named checks that a frame that is still needed finds the blobs that it names.
func (h *simHistory) named(f *eventlog.CheckedFrame) error {
	var list []string
	for i := range f.Records {
		if r := &f.Records[i]; r.Kind == eventlog.Revision {
			list = append(list, r.Key)
		}
	}
	for i := range f.Runs {
		r := &f.Runs[i]
		if r.Kind == runRules {
			list = append(list, r.Key)
		}
		for _, digest := range digests.FindAll(r.Body, -1) {
			list = append(list, string(digest))
		}
	}
	for _, digest := range list {
		_, was := h.g.blobs[digest] // much else has a digest
		if _, is := h.stored.Blob(h.g.no, digest); was && !is {
			return fmt.Errorf("frame %d of stream %d names the blob %s, which is gone", f.Seq, h.kind, digest)
		}
	}
	return nil
}

// loseSnapshot takes the newest snapshot away, if there is another, and none was lost
// that is still needed.
func (w *simWorld) loseSnapshot(g *simGroup) {
	o := w.ownerOf(g)
	if o == nil || !o.running || w.plant == plantPurgeAhead {
		return
	}
	notes, err := newestSnapshots(simCtx, o.log, keptSnapshots)
	if err != nil || len(notes) < keptSnapshots {
		return
	}
	newest := ""
	for _, note := range slices.Backward(notes) {
		note, err := readNote(note.body)
		if err != nil {
			return
		}
		if _, ok := w.model.Blob(g.no, note.Digest); !ok {
			return
		}
		newest = note.Digest
	}
	w.say("the newest snapshot of group %d is lost", g.no)
	w.did["a snapshot was lost"]++
	w.model.LoseBlob(g.no, newest)
}
