package fswatch

import (
	"io"
	"io/fs"
	"math"
	"path"

	"github.com/rhost/rhost/event"
)

// tell adds an event. The info is nil when there is nothing at the path.
func (w *watch) tell(typ, file string, info fs.FileInfo, reason string) {
	shown := w.show(file)
	data := append([]byte(nil), `{"path":`...)
	data = event.StringValue(shown).AppendJSON(data)
	data = append(data, `,"name":`...)
	data = event.StringValue(path.Base(shown)).AppendJSON(data)
	data = append(data, `,"dir":`...)
	data = event.StringValue(path.Dir(shown)).AppendJSON(data)
	if info != nil {
		data = w.appendInfo(data, typ, file, info)
	}
	if reason != "" {
		data = append(data, `,"error":`...)
		data = event.StringValue(reason).AppendJSON(data)
	}
	now := w.now()
	w.out.Events = append(w.out.Events, event.Event{
		ID: event.NewID(now), Source: "/rhost/fswatch/" + w.name, Type: typ, Time: now.UTC(), Data: append(data, '}'),
	})
}

func (w *watch) appendInfo(data []byte, typ, file string, info fs.FileInfo) []byte {
	if info.IsDir() {
		return append(data, `,"folder":true`...)
	}
	data = append(data, `,"size":`...)
	data = event.NumberValue(float64(info.Size())).AppendJSON(data)
	if w.entropy == 0 || typ == typeAttrib || info.Size() == 0 || !info.Mode().IsRegular() {
		return data
	}
	if bits, ok := measure(file, info, w.entropy); ok {
		data = append(data, `,"entropy":`...)
		data = event.NumberValue(bits).AppendJSON(data)
	}
	return data
}

// measure gives the entropy of the first bytes of a file; false when it cannot
// be read, or is not the one that info is of.
func measure(file string, info fs.FileInfo, limit int64) (float64, bool) {
	f, err := openRegular(file, info)
	if err != nil {
		return 0, false
	}
	defer f.Close() //nolint:errcheck // it was only read
	b, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil || len(b) == 0 {
		return 0, false
	}
	return math.Round(entropy(b)*1000) / 1000, true
}

// entropy is Shannon's, in bits per byte: 0 when all bytes are the same, 8 when
// all are equally frequent. Text lies around 4.5, compressed and encrypted content
// above 7.5.
func entropy(b []byte) float64 {
	var counts [256]int
	for _, c := range b {
		counts[c]++
	}
	bits := 0.0
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(b))
			bits -= p * math.Log2(p)
		}
	}
	return math.Abs(bits) // never -0
}
