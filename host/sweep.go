package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"

	"github.com/rhost/rhost/host/eventlog"
)

// digests finds what may be the name of a blob.
var digests = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// sweep removes blobs that nothing names: no record of RUN, no revision of rules in
// EV, no snapshot that is kept, no plugin's version, no edition of a cluster. What there was before the marks
// are made is looked at, so nothing that comes meanwhile is removed; a sweep that
// ends in the middle has removed only what it may. Other groups of the engine have
// blobs of their own.
func (k *keeper) sweep(ctx context.Context) error {
	all, mark, err := k.log.Blobs(ctx)
	if err != nil {
		return err
	}
	k.blobs.forgetOld(heldFor)
	m := marker{keeper: k, named: make(map[string]bool)}
	if err := m.all(ctx); err != nil {
		return fmt.Errorf("look for blobs in use: %w", err)
	}
	// Another owner would have named some that this log does not see. One that comes
	// after this stores what it names again, behind the mark.
	if err := k.log.StillOurs(ctx); err != nil {
		return fmt.Errorf("remove blobs: %w", err)
	}
	for _, digest := range all {
		if m.named[digest] {
			continue
		}
		if err := k.blobs.drop(ctx, digest, mark); err != nil {
			return err
		}
	}
	return nil
}

// marker notes which blobs are in use.
type marker struct {
	*keeper
	named map[string]bool
}

func (m *marker) all(ctx context.Context) error {
	ledger, err := os.ReadFile(m.ledger)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	m.text(ledger)
	if m.editions != nil {
		if err := m.editions.mark(ctx, m.text); err != nil {
			return err
		}
	}
	if err := m.snapshots(ctx); err != nil {
		return err
	}
	err = m.log.Read(ctx, eventlog.Position{}, func(f *eventlog.Frame) error {
		for i := range f.Records {
			if r := &f.Records[i]; r.Kind == eventlog.Revision {
				m.rules(ctx, r.Key)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return m.log.RunLog().Replay(ctx, 0, func(_ uint64, recs []eventlog.RunRecord) error {
		for i := range recs {
			r := &recs[i]
			m.text(r.Body)
			if r.Kind == runRules {
				m.rules(ctx, r.Key)
			}
			if r.Kind&runIndirect != 0 {
				if err := m.inside(ctx, string(r.Body)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// text marks all that a text may name.
func (m *marker) text(b []byte) {
	for _, digest := range digests.FindAll(b, -1) {
		m.named[string(digest)] = true
	}
}

// rules marks a rule set and its files. One that is not there any more was named by
// what is older than the log.
func (m *marker) rules(ctx context.Context, digest string) {
	if m.named[digest+" read"] {
		return
	}
	m.named[digest], m.named[digest+" read"] = true, true
	if b, err := m.log.GetBlob(ctx, digest); err == nil {
		m.text(b)
	}
}

// inside marks what a record that is kept as a blob names.
func (m *marker) inside(ctx context.Context, digest string) error {
	b, err := m.log.GetBlob(ctx, digest)
	if err == nil {
		m.text(b)
	}
	return err
}

// snapshots marks the ones kept, and what they name. One that cannot be read
// stops the sweep: what it names is not known.
func (m *marker) snapshots(ctx context.Context) error {
	stored, err := logSnapshots{m.blobs}.NewestSnapshots(ctx, keptSnapshots)
	if err != nil {
		return err
	}
	for _, one := range stored {
		if one.err != nil {
			return one.err
		}
		note, err := readNote(one.body)
		if err != nil {
			return err
		}
		m.named[note.Digest] = true
		b, err := m.log.GetBlob(ctx, note.Digest)
		if err != nil {
			return err
		}
		if err := unseal(b, func(f *formReader) { m.stream(ctx, f) }); err != nil {
			return err
		}
	}
	return nil
}

// stream marks all that the inside of a snapshot may name.
func (m *marker) stream(ctx context.Context, f *formReader) {
	const overlap = len("sha256:") + 64 - 1
	found := make(map[string]bool)
	buf := make([]byte, 1<<16)
	kept := 0
	for {
		n, err := f.R.Read(buf[kept:])
		for _, digest := range digests.FindAll(buf[:kept+n], -1) {
			found[string(digest)] = true
		}
		end := kept + n
		kept = min(end, overlap)
		copy(buf, buf[end-kept:end])
		if err != nil {
			break // the end, or what unseal tells
		}
	}
	for digest := range found {
		m.rules(ctx, digest) // whatever it is, it may name others
	}
}
