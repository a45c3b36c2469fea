package files

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// place is where a tail goes on, and its checkpoint.
type place struct {
	Inode  uint64 `json:"inode"`
	Offset int64  `json:"offset"` // of the next line
	// Turn counts the files read one after the other, be it that the path led to
	// another one or that the same was truncated.
	Turn uint64 `json:"turn"`
	// Head and Sum are the fingerprint of the file: a hash of its first Head bytes.
	Head int64  `json:"head"`
	Sum  uint64 `json:"sum"`
	// Skip says that Offset lies inside a line that is too long.
	Skip bool `json:"skip,omitempty"`
}

func (p place) encode() []byte {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // plain numbers
	}
	return b
}

func decodePlace(b []byte) (place, error) {
	var p place
	if err := json.Unmarshal(b, &p); err != nil || p.Offset < 0 || p.Head < 0 || p.Head > headSize {
		return place{}, fmt.Errorf("the stored position %q is not one of a tail; the source's name belonged to another kind: rename it", b)
	}
	return p, nil
}

const (
	// headSize is how much of a file's beginning its fingerprint covers.
	headSize = 256
	// minHead is how much it must cover to tell a copy by it alone.
	minHead = 64
)

// fingerprint hashes the first n bytes of a file; false when it has fewer.
func fingerprint(f io.ReaderAt, n int64) (uint64, bool) {
	b := make([]byte, n)
	if got, err := f.ReadAt(b, 0); int64(got) < n || err != nil && !errors.Is(err, io.EOF) {
		return 0, false
	}
	h := fnv.New64a()
	h.Write(b) // a hash never fails to write
	return h.Sum64(), true
}

// seal brings the fingerprint up to what has been read.
func (p *place) seal(f io.ReaderAt) {
	if n := min(p.Offset, headSize); n > p.Head {
		if sum, ok := fingerprint(f, n); ok {
			p.Head, p.Sum = n, sum
		}
	}
}

// fits reports whether p can be a place in f, going by size and beginning.
func (p *place) fits(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Size() < p.Offset {
		return false
	}
	sum, ok := fingerprint(f, p.Head)
	return ok && (p.Head == 0 || sum == p.Sum)
}

// open opens a regular file.
func open(path string) (*os.File, fs.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("path: %w; create the file, or correct the path", err)
	case errors.Is(err, fs.ErrPermission):
		return nil, nil, fmt.Errorf("path: %w; let the user that runs rhost read it", err)
	case err != nil:
		return nil, nil, fmt.Errorf("path: %w", err)
	case info.IsDir():
		return nil, nil, fmt.Errorf("path: %s is a folder; name a file in it, or watch the folder with fswatch", path)
	case !info.Mode().IsRegular(): // opening a pipe would wait for its writer
		return nil, nil, fmt.Errorf("path: %s is not a regular file; use a source of another kind", path)
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil, fmt.Errorf("path: %w; let the user that runs rhost read it", err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("path: %w", err)
	}
	if info, err = f.Stat(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("path: %w", err), f.Close())
	}
	return f, info, nil
}

// locate finds the file that p is a place in: the one at path, or what became of
// it when it was rotated. Nil means that it is gone.
func (p *place) locate(path string) *os.File {
	candidates := append([]string{path}, rotated(path)...)
	if f := p.first(candidates, func(info fs.FileInfo) bool { return inode(info) == p.Inode }); f != nil {
		return f
	}
	if p.Head < minHead {
		return nil
	}
	// A copy made before the file was truncated: the same text, another inode.
	return p.first(candidates[1:], func(fs.FileInfo) bool { return true })
}

func (p *place) first(paths []string, like func(fs.FileInfo) bool) *os.File {
	for _, path := range paths {
		f, info, err := open(path)
		if err != nil {
			continue // one that cannot be opened is not the one
		}
		if like(info) && p.fits(f) {
			return f
		}
		f.Close() //nolint:errcheck // it was only read
	}
	return nil
}

// rotatedName is what log rotation appends: a number, or a date.
var rotatedName = regexp.MustCompile(`^(?:\.(\d{1,6})|[-.](\d{8}[-_T.\d]*))$`)

// rotated lists the earlier files of path, newest first.
func rotated(path string) []string {
	dir, base := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean(dir + "."))
	if err != nil {
		return nil // the file itself will say what is wrong with the folder
	}
	type earlier struct {
		name   string
		number int
		date   string
	}
	var all []earlier
	for _, e := range entries {
		suffix, ok := strings.CutPrefix(e.Name(), base)
		if m := rotatedName.FindStringSubmatch(suffix); ok && m != nil {
			n, _ := strconv.Atoi(m[1]) // digits only, or none
			all = append(all, earlier{e.Name(), n, m[2]})
		}
	}
	slices.SortFunc(all, func(a, b earlier) int {
		if a.date != b.date {
			return strings.Compare(b.date, a.date)
		}
		return a.number - b.number
	})
	paths := make([]string, len(all))
	for i, e := range all {
		paths[i] = filepath.Join(dir, e.name)
	}
	return paths
}

// successor gives the path of the file that came after the one with the given
// inode: usually path itself, but an earlier one when the file was rotated more
// than once.
func successor(path string, ino uint64) string {
	next := path
	for _, old := range rotated(path) {
		if info, err := os.Stat(old); err == nil && inode(info) == ino {
			return next
		}
		next = old
	}
	return path
}
