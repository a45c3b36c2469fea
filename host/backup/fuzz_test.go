package backup

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"
)

// FuzzSegment reads segments of any bytes: what is taken reads back as the same.
func FuzzSegment(f *testing.F) {
	head := []byte{'r', 'h', 's', 'g', segmentVersion, 0, 0, 0}
	good := appendMessage(bytes.Clone(head), &message{seq: 1, at: time.Unix(0, 5), body: []byte("frame")})
	f.Add(good)
	f.Add(appendMessage(good, &message{seq: 2, body: nil}))
	f.Add(good[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := newSegmentReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		again := bytes.Clone(b[:segmentHeader])
		for {
			m, err := s.next()
			if errors.Is(err, io.EOF) {
				if !bytes.Equal(again, b) {
					t.Errorf("% x reads back as % x", b, again)
				}
				return
			}
			if err != nil {
				return
			}
			again = appendMessage(again, &m)
		}
	})
}

// FuzzManifest reads manifests of any bytes: names in what is taken stay inside.
func FuzzManifest(f *testing.F) {
	body := []byte(`{"format":1,"number":1,"streams":[{"name":"EV","first":1,"last":1,"segments":[{"file":"streams/EV/1.seg"}]}],"blobs":[],"files":[{"root":"app","name":"a","file":"files/1/app/a"}]}`)
	f.Add([]byte(`{"sha256":"` + digestOf(body) + `","manifest":` + string(body) + `}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseManifest(b)
		if err == nil && m.checkNames() != nil {
			t.Error("a name that leads out is taken")
		}
	})
}
