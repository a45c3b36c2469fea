package eventlog

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files; only for a new format version")

var sampleTime = time.Date(2026, 9, 1, 12, 0, 0, 123456789, time.UTC)

// sampleEvents is a frame with everything a frame can have: two lanes with
// records, one that is only mentioned, all kinds, keys, flags, equal and
// different times, an empty and a binary body.
func sampleEvents() (header, []laneMark, []Record) {
	h := header{
		typ: eventFrame, seq: 7, writer: 0x0102030405060708, first: 41, base: sampleTime.UnixNano(),
		prev: 0xdeadbeef, lanes: 3,
	}
	marks := []laneMark{
		{laneKey{"acme", 0}, 12},
		{laneKey{"", 70_000}, 0},
		{laneKey{"idle", 1}, 99},
	}
	at := func(d time.Duration) time.Time { return sampleTime.Add(d) }
	return h, marks, []Record{
		{Kind: Event, Tenant: "acme", LaneSeq: 13, Ingest: at(0), Body: []byte(`{"a":1}`)},
		{Kind: Event, Flags: 5, Tenant: "acme", LaneSeq: 14, Ingest: at(0), Dedup: DedupKeyOf("acme", "src", "1"), Body: []byte{0, 255}},
		{Kind: Revision, Lane: 70_000, LaneSeq: 1, Ingest: at(time.Microsecond), Key: "sha256:00", Body: []byte{}},
		{Kind: Tick, Tenant: "acme", LaneSeq: 15, Ingest: at(time.Hour), Body: []byte{}},
		{Kind: Checkpoint, Lane: 70_000, LaneSeq: 2, Ingest: at(time.Hour), Key: "tail:/var/log/auth.log", Body: []byte("4711")},
	}
}

func encodeEvents(h header, marks []laneMark, recs []Record) []byte {
	entry := make(map[laneKey]int)
	for i, m := range marks {
		entry[m.laneKey] = i
	}
	b := make([]byte, headerSize)
	at := h.base
	for i := range recs {
		b = appendRecord(b, &recs[i], entry[laneKey{recs[i].Tenant, recs[i].Lane}], recs[i].Ingest.UnixNano()-at)
		at = recs[i].Ingest.UnixNano()
	}
	h.table, h.count = uint32(len(b)), uint32(len(recs))
	b = binary.AppendUvarint(b, uint64(len(marks)))
	for _, m := range marks {
		b = appendMark(b, m)
	}
	h.seal(b)
	return b
}

func sampleRun() (header, []RunRecord) {
	return header{typ: runFrame, seq: 3, writer: 9, first: 17, base: sampleTime.UnixNano(), prev: 1}, []RunRecord{
		{Kind: 1, Key: "match/01", Body: []byte(`{"rule":"r"}`)},
		{Kind: 255, Body: bytes.Repeat([]byte{7}, 200)},
	}
}

// golden compares b with a frame stored by the release that introduced the
// format. A reader must go on reading it for good.
func golden(t *testing.T, name string, b []byte) []byte {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(file, b, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, hex.Dump(want), hex.Dump(b))
	return want
}

func TestEventFrameFormat(t *testing.T) {
	h, marks, recs := sampleEvents()
	b := golden(t, "event-v1.frame", encodeEvents(h, marks, recs))
	f, err := decodeEventFrame(b)
	require.NoError(t, err)
	h.crc, h.length, h.count, h.table = f.crc, uint32(len(b)), 5, f.table
	assert.Equal(t, h, f.header)
	assert.Equal(t, marks, f.marks)
	assert.Equal(t, recs, f.records)
	assert.Equal(t, []laneMark{{laneKey{"acme", 0}, 15}, {laneKey{"", 70_000}, 2}, {laneKey{"idle", 1}, 99}}, f.ends())
}

func TestRunFrameFormat(t *testing.T) {
	h, recs := sampleRun()
	b := golden(t, "run-v1.frame", appendRunFrame(nil, &h, recs))
	assert.Len(t, b, runSizeOf(recs))
	got, gotRecs, err := decodeRunFrame(b)
	require.NoError(t, err)
	assert.Equal(t, h, got)
	assert.Equal(t, recs, gotRecs)
}

func sampleNote() (header, []byte) {
	return header{typ: noteFrame, seq: 5, writer: 9, first: 4, base: sampleTime.UnixNano(), prev: 7}, []byte(`{"cut":3}`)
}

func TestNoteFrameFormat(t *testing.T) {
	h, body := sampleNote()
	b := golden(t, "snap-v1.frame", noteFrameOf(&h, "snapshot", body))
	got, gotBody, err := decodeNoteFrame(b, "snapshot")
	require.NoError(t, err)
	assert.Equal(t, h, got)
	assert.Equal(t, body, gotBody)
	_, _, err = decodeNoteFrame(b, "floor")
	require.ErrorContains(t, err, `it is a note "snapshot", not "floor"`)
	for i := range b {
		_, _, err := decodeNoteFrame(b[:i], "snapshot")
		require.Error(t, err)
	}
}

// TestNoteBodies has the bytes of notes as they are stored for good.
func TestNoteBodies(t *testing.T) {
	f := floors{ev: 300, run: 7}
	assert.Equal(t, []byte{0xac, 2, 7}, f.encode())
	gotFloors, ok := parseFloors(f.encode())
	assert.True(t, ok)
	assert.Equal(t, f, gotFloors)
	c := claim{epoch: 5, writer: 200, owner: "me"}
	assert.Equal(t, []byte{5, 200, 1, 2, 'm', 'e'}, c.encode())
	gotClaim, ok := parseClaim(c.encode())
	assert.True(t, ok)
	assert.Equal(t, c, gotClaim)
	for _, bad := range [][]byte{nil, {1}, {0xff}, {1, 2, 3}} {
		_, ok = parseFloors(bad)
		assert.False(t, ok, "%v", bad)
		_, ok = parseClaim(bad)
		assert.False(t, ok, "%v", bad)
	}
}

func TestDamagedFramesAreRefused(t *testing.T) {
	h, marks, recs := sampleEvents()
	good := encodeEvents(h, marks, recs)
	for i := range good {
		for _, bit := range []byte{1, 128} {
			bad := bytes.Clone(good)
			bad[i] ^= bit
			_, err := decodeEventFrame(bad)
			require.Error(t, err, "byte %d", i)
		}
		_, err := decodeEventFrame(good[:i])
		require.Error(t, err, "cut at %d", i)
	}
}

// TestHostileFrames has frames with a good checksum that lie.
func TestHostileFrames(t *testing.T) {
	lie := func(change func(b []byte)) func() []byte {
		return func() []byte {
			b := encodeEvents(sampleEvents())
			change(b)
			return reseal(b)
		}
	}
	le := binary.LittleEndian
	for _, tt := range []struct {
		name  string
		frame func() []byte
		want  string
	}{
		{"later version", lie(func(b []byte) { b[4] = 2 }), "format version 2; this program reads version 1"},
		{"other type", lie(func(b []byte) { b[5] = 2 }), "of type"},
		{"billions of records", lie(func(b []byte) { le.PutUint32(b[16:], math.MaxUint32) }), "cannot hold 4294967295 records"},
		{"no records", lie(func(b []byte) { le.PutUint32(b[16:], 0) }), "it has no records"},
		{"one record more", lie(func(b []byte) { b[16]++ }), "record 5 is cut short"},
		{"one record less", lie(func(b []byte) { b[16]-- }), "bytes follow the last record"},
		{"table outside", lie(func(b []byte) { le.PutUint32(b[20:], math.MaxUint32) }), "its lane table starts at"},
		{"table in the header", lie(func(b []byte) { le.PutUint32(b[20:], 8) }), "its lane table starts at"},
		{"many lanes", lie(func(b []byte) { b[le.Uint32(b[20:])] = 100 }), "cannot hold 100 lanes"},
		{"few lanes", lie(func(b []byte) { b[le.Uint32(b[20:])] = 2 }), "does not end where it should"},
		{"no kind", lie(func(b []byte) { b[headerSize] = 0 }), "record 0 is out of bounds"},
		{"unknown shape", lie(func(b []byte) { b[headerSize+2] = 4 }), "record 0 is out of bounds"},
		{"unknown lane", lie(func(b []byte) { b[headerSize+3] = 3 }), "record 0 is out of bounds"},
		{"time runs over", lie(func(b []byte) { le.PutUint64(b[48:], math.MaxInt64) }), "record 2 is out of bounds"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := decodeEventFrame(tt.frame())
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// reseal makes the length and checksum of a changed frame right again.
func reseal(b []byte) []byte {
	if len(b) < headerSize {
		return b
	}
	le := binary.LittleEndian
	le.PutUint32(b[12:], uint32(len(b)))
	le.PutUint32(b[8:], checksum(b))
	return b
}

func FuzzDecodeEventFrame(f *testing.F) {
	f.Add(encodeEvents(sampleEvents()))
	f.Add([]byte("rhlg\x01\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeEventFrame(reseal(b))
		if err != nil {
			return
		}
		// Whatever is accepted survives another round.
		again, err := decodeEventFrame(encodeEvents(got.header, dedupMarks(t, got.marks), got.records))
		require.NoError(t, err)
		assert.Equal(t, got.records, again.records)
	})
}

// dedupMarks skips inputs whose lane table names a lane twice: the encoder
// never writes such a table.
func dedupMarks(t *testing.T, marks []laneMark) []laneMark {
	t.Helper()
	seen := map[laneKey]bool{}
	for _, m := range marks {
		if seen[m.laneKey] {
			t.Skip()
		}
		seen[m.laneKey] = true
	}
	return marks
}

func FuzzDecodeRunFrame(f *testing.F) {
	h, recs := sampleRun()
	f.Add(appendRunFrame(nil, &h, recs))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, recs, err := decodeRunFrame(reseal(b))
		if err != nil {
			return
		}
		_, again, err := decodeRunFrame(appendRunFrame(nil, &h, recs))
		require.NoError(t, err)
		assert.Equal(t, recs, again)
	})
}

func FuzzDecodeNoteFrame(f *testing.F) {
	h, body := sampleNote()
	f.Add(noteFrameOf(&h, "snapshot", body))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, body, err := decodeNoteFrame(reseal(b), "snapshot")
		if err != nil {
			return
		}
		_, again, err := decodeNoteFrame(noteFrameOf(&h, "snapshot", body), "snapshot")
		require.NoError(t, err)
		assert.Equal(t, body, again)
	})
}
