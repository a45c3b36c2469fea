package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// Format is the version of backups that this package writes. It reads this one
// and every older one.
const Format = 1

const (
	manifestName   = "manifest.json"
	incompleteName = "incomplete"
	lockName       = "lock"
	maxManifest    = 1 << 30
)

// ErrNone is the error of a folder that holds no backup.
var ErrNone = errors.New("there is no backup")

// Manifest says what a backup consists of.
type Manifest struct {
	Format  int       `json:"format"`
	Number  int       `json:"number"` // of backups written into the folder, this one included
	At      time.Time `json:"at"`     // when the cut was taken
	Program string    `json:"program,omitempty"`
	Clean   bool      `json:"clean"` // the host had been closed in good order
	Streams []Stream  `json:"streams"`
	Notes   [][]byte  `json:"notes,omitempty"` // that say where snapshots are, the oldest first
	// Editions say what was in force in a cluster, the oldest first.
	Editions [][]byte `json:"editions,omitempty"`
	Blobs    []Blob   `json:"blobs"`
	Files    []File   `json:"files"`
}

// Stream is the frames of one stream, without a gap.
type Stream struct {
	Name     string    `json:"name"`
	First    uint64    `json:"first"` // the first that counts: segments may hold some that the log has let go of; 0: the stream is empty
	Last     uint64    `json:"last"`
	Sum      uint32    `json:"sum"`     // checksum of the last frame
	Records  uint64    `json:"records"` // up to and with the last frame, also of frames before the first
	Segments []Segment `json:"segments"`
}

// Segment is one file of frames.
type Segment struct {
	File   string `json:"file"` // relative to the folder, with slashes
	First  uint64 `json:"first"`
	Last   uint64 `json:"last"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Blob is one blob.
type Blob struct {
	Digest string `json:"digest"` // "sha256:" and hexadecimal digits
	Bytes  int64  `json:"bytes"`
}

// File is a copy of a file.
type File struct {
	Root   string      `json:"root"` // app or data
	Name   string      `json:"name"` // relative to that, with slashes
	File   string      `json:"file"` // relative to the backup, with slashes
	Mode   fs.FileMode `json:"mode"` // permissions
	Bytes  int64       `json:"bytes"`
	SHA256 string      `json:"sha256"`
}

// Size is how many bytes a backup has.
func (m *Manifest) Size() (n int64) {
	for i := range m.Streams {
		for _, s := range m.Streams[i].Segments {
			n += s.Bytes
		}
	}
	for _, b := range m.Blobs {
		n += b.Bytes
	}
	for i := range m.Files {
		n += m.Files[i].Bytes
	}
	return n
}

// Stream finds a stream by name; nil when the backup has none of it.
func (m *Manifest) Stream(name string) *Stream {
	for i := range m.Streams {
		if m.Streams[i].Name == name {
			return &m.Streams[i]
		}
	}
	return nil
}

// sealed is what manifest.json holds.
type sealed struct {
	SHA256   string          `json:"sha256"`
	Manifest json.RawMessage `json:"manifest"`
}

// ReadManifest reads the manifest of a backup. The error is ErrNone when there is
// none; of one that is damaged it names the file.
func ReadManifest(dir string) (*Manifest, error) {
	name := filepath.Join(dir, manifestName)
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w in it, or it was cut off before the first was whole", dir, ErrNone)
	case err != nil:
		return nil, err
	case info.Size() > maxManifest:
		return nil, fmt.Errorf("%s: %d bytes are too many for a manifest", name, info.Size())
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

func parseManifest(text []byte) (*Manifest, error) {
	var s sealed
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if have := digestOf(s.Manifest); have != s.SHA256 {
		return nil, fmt.Errorf("it is damaged: its digest is %s, not %s", short(have), short(s.SHA256))
	}
	var m Manifest
	if err := json.Unmarshal(s.Manifest, &m); err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	if m.Format < 1 || m.Format > Format {
		return nil, fmt.Errorf("it has format %d; this program reads up to %d: use a newer one", m.Format, Format)
	}
	return &m, m.checkNames()
}

// checkNames refuses names that lead out of the folder.
func (m *Manifest) checkNames() error {
	var errs []error
	local := func(name string) {
		if !filepath.IsLocal(filepath.FromSlash(name)) || path.Clean(name) != name || strings.ContainsRune(name, '\\') {
			errs = append(errs, fmt.Errorf("%q is not the name of a file within a folder", name))
		}
	}
	for i := range m.Streams {
		local(m.Streams[i].Name)
		for _, s := range m.Streams[i].Segments {
			local(s.File)
		}
	}
	for _, b := range m.Blobs {
		if _, err := blobFile(b.Digest); err != nil {
			errs = append(errs, err)
		}
	}
	for i := range m.Files {
		f := &m.Files[i]
		local(f.Name)
		local(f.File)
		if f.Root != RootApp && f.Root != RootData {
			errs = append(errs, fmt.Errorf("%s: %q is neither %s nor %s", f.Name, f.Root, RootApp, RootData))
		}
	}
	return errors.Join(errs...)
}

// write replaces the manifest of a folder in one step.
func (m *Manifest) write(dir string) error {
	body, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "{\"sha256\": %q,\n\"manifest\": %s}\n", digestOf(body), body)
	return writeFile(filepath.Join(dir, manifestName), 0o600, func(w *os.File) error {
		_, err := w.Write(text.Bytes())
		return err
	})
}

// blobFile is the file of a blob, relative to the backup.
func blobFile(digest string) (string, error) {
	digits, ok := strings.CutPrefix(digest, "sha256:")
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) != sha256.Size || strings.ToLower(digits) != digits {
		return "", fmt.Errorf("%q is not the digest of a blob", digest)
	}
	return "blobs/" + digits[:2] + "/" + digits, nil
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// short is the beginning of a digest, for people.
func short(digest string) string { return digest[:min(len(digest), 12)] }
