package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/sandbox"
)

// In a cluster what is in force is an edition: an app folder, file by file, each by
// the digest of its bytes, and the ledger of plugin versions. The edition is a blob,
// its files are blobs, and the log's newest note of that name says which one counts.
//
// On disk, version 1, both are JSON without unknown keys. What a newer release wrote
// is refused, never guessed at.
const (
	editionVersion = 1
	maxEdition     = 64 << 20 // bytes of one, mostly its ledger
	maxEditionFile = 20_000   // files of one
)

// editionNote says which edition is in force since when.
type editionNote struct {
	Version int       `json:"v"`
	Number  uint64    `json:"n"`      // counts the editions of a log from 1
	Digest  string    `json:"digest"` // of the edition's blob
	Epoch   uint64    `json:"epoch"`  // of the owner that recorded it
	Node    string    `json:"node"`   // which is that owner
	At      time.Time `json:"at"`     // by its clock
	Why     string    `json:"why"`    // what changed it, for people
}

// edition is all that is in force.
type edition struct {
	Version int           `json:"v"`
	Files   []editionFile `json:"files"` // by name
	// Ledger is what package deploy wrote of the versions of plugins.
	Ledger json.RawMessage `json:"ledger,omitempty"`
}

// editionFile is one file of an edition.
type editionFile struct {
	Name   string `json:"name"` // as in an app folder, with slashes
	Digest string `json:"digest"`
	Size   int    `json:"size"`
}

// settingsFile is the file whose shared keys are a part of an edition.
const settingsFile = "rhost.yaml"

// errEdition is the error of an edition that cannot be put in force.
var errEdition = errors.New("what is in force in the cluster cannot be used")

// decodeEditionNote reads what Editions of the log hold.
func decodeEditionNote(body []byte) (*editionNote, error) {
	n := &editionNote{}
	if err := strictJSON(body, n, func() int { return n.Version }); err != nil {
		return nil, fmt.Errorf("%w: its note: %w", errEdition, err)
	}
	return n, nil
}

// decodeEdition reads the blob of an edition.
func decodeEdition(body []byte) (*edition, error) {
	e := &edition{}
	err := strictJSON(body, e, func() int { return e.Version })
	if err == nil {
		err = e.check()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: its list of files: %w", errEdition, err)
	}
	return e, nil
}

// strictJSON decodes one value of a version that this release knows.
func strictJSON(body []byte, v any, version func() int) error {
	var first struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(body, &first); err != nil {
		return err
	}
	if first.Version != editionVersion {
		return fmt.Errorf("it is of version %d, and this release reads version %d; run the release that wrote it on every node", first.Version, editionVersion)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its end")
	}
	if version() != editionVersion {
		return errors.New("it names two versions")
	}
	return nil
}

// check refuses what no owner writes: names that lead out of the folder, or twice the
// same.
func (e *edition) check() error {
	if len(e.Files) > maxEditionFile {
		return fmt.Errorf("it has %d files; at most %d are taken", len(e.Files), maxEditionFile)
	}
	last := ""
	for _, f := range e.Files {
		if err := checkEditionName(f.Name); err != nil {
			return err
		}
		if f.Name <= last {
			return fmt.Errorf("%q is not in its place", f.Name)
		}
		last = f.Name
		if digests.FindString(f.Digest) != f.Digest || f.Digest == "" || f.Size < 0 {
			return fmt.Errorf("%q has no digest, or no size", f.Name)
		}
	}
	return nil
}

func checkEditionName(name string) error {
	if name == settingsFile {
		return nil
	}
	return checkBundled(name)
}

// encode gives the edition's blob.
func (e *edition) encode() ([]byte, error) {
	e.Version = editionVersion
	slices.SortFunc(e.Files, func(a, b editionFile) int { return strings.Compare(a.Name, b.Name) })
	b, err := json.Marshal(e)
	if err == nil && len(b) > maxEdition {
		err = fmt.Errorf("%d files and the versions of plugins take %d bytes to list; at most %d are taken", len(e.Files), len(b), maxEdition)
	}
	if err != nil {
		return nil, fmt.Errorf("record what is in force: %w", err)
	}
	return b, nil
}

// file finds a file by name.
func (e *edition) file(name string) (editionFile, bool) {
	i, ok := slices.BinarySearchFunc(e.Files, name, func(f editionFile, name string) int { return strings.Compare(f.Name, name) })
	if !ok {
		return editionFile{}, false
	}
	return e.Files[i], true
}

// put adds a file, or gives it other bytes.
func (e *edition) put(name string, b []byte) {
	e.remove(name)
	e.Files = append(e.Files, editionFile{Name: name, Digest: sandbox.Digest(b), Size: len(b)})
	slices.SortFunc(e.Files, func(a, b editionFile) int { return strings.Compare(a.Name, b.Name) })
}

func (e *edition) remove(name string) {
	e.Files = slices.DeleteFunc(e.Files, func(f editionFile) bool { return f.Name == name })
}

// editionSource is where an edition is read from: the owner's log, or an Onlooker.
type editionSource interface {
	Newest(ctx context.Context) (e eventlog.Edition, ok bool, err error)
	GetBlob(ctx context.Context, digest string) ([]byte, error)
}

// newestEdition reads which edition is in force; nil when none was recorded. A note
// that is damaged does not stand for the one before it.
func newestEdition(ctx context.Context, from editionSource) (*editionNote, error) {
	newest, ok, err := from.Newest(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("find out what is in force: %w", err)
	case !ok:
		return nil, nil //nolint:nilnil // there is none, and that is no error
	case newest.Err != nil:
		return nil, fmt.Errorf("%w: its note: %w", errEdition, newest.Err)
	}
	return decodeEditionNote(newest.Body)
}

// readEdition reads the edition that a note names.
func readEdition(ctx context.Context, from editionSource, n *editionNote) (*edition, error) {
	b, err := from.GetBlob(ctx, n.Digest)
	if err != nil {
		return nil, fmt.Errorf("%w: edition %d: %w", errEdition, n.Number, err)
	}
	return decodeEdition(b)
}

// EditionSummary says which edition is in force in a cluster.
type EditionSummary struct {
	Number uint64    `json:"number"`
	Digest string    `json:"digest"`
	Node   string    `json:"node"` // that recorded it
	At     time.Time `json:"at"`
	Why    string    `json:"why"`
}

func (n *editionNote) summary() *EditionSummary {
	return &EditionSummary{Number: n.Number, Digest: n.Digest, Node: n.Node, At: n.At, Why: n.Why}
}

func encodeNote(n *editionNote) ([]byte, error) {
	b, err := json.Marshal(n)
	if err != nil {
		return nil, fmt.Errorf("record what is in force: %w", err)
	}
	return b, nil
}
