package eventlog

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
)

// Kind says what a record is. Control records ride in the same lanes as
// events, so that a replay applies the same rules at the same place and sees
// the same clock. The log treats all kinds alike; zero is refused.
type Kind uint8

// The kinds. Their numbers are part of the frame format.
const (
	Event      Kind = 1 // an event; Body is event.Event's binary form
	Revision   Kind = 2 // the rule set in force from here on; Key is its digest
	Tick       Kind = 3 // the clock of an idle lane; the record's Ingest is the tick
	Checkpoint Kind = 4 // how far a source has read; Key is the source
	Claim      Kind = 5 // who has taken the group over; Key is the owner, Body its epoch as a uvarint
	Origin     Kind = 6 // the log was restored; Key is what tells what follows from what followed in the log it is a copy of
)

func (k Kind) String() string {
	switch k {
	case Event:
		return "event"
	case Revision:
		return "revision"
	case Tick:
		return "tick"
	case Checkpoint:
		return "checkpoint"
	case Claim:
		return "claim"
	case Origin:
		return "origin"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Flags are eight bits that belong to whoever writes the records; the log
// stores them and hands them back.
type Flags uint8

// Record is one entry of a lane.
//
// A writer fills in everything but LaneSeq and Ingest, which the Committer
// assigns: LaneSeq counts each lane's records from 1 without a gap, and Ingest
// never goes back, neither within a lane nor across the log.
//
// Key and Body are handed over with the record: nobody may change Body after
// Commit was called, whatever Commit returned. Read back from the stream, Body
// is a part of the whole frame's bytes; whoever keeps one for longer than its
// frame should clone it, or it keeps up to a megabyte alive.
type Record struct {
	Kind    Kind
	Flags   Flags
	Lane    uint32
	LaneSeq uint64
	Tenant  string
	Ingest  time.Time // UTC
	Key     string
	Dedup   DedupKey
	Body    []byte
}

// DedupKey marks a record that a client may send again: of all records with
// one key inside the window, the first is stored and the others are answered
// as accepted. The zero key is never compared.
type DedupKey [16]byte

// DedupKeyOf derives the key of an event from its tenant, source and id. The
// hash is cryptographic, so that nobody can make up an id that swallows
// somebody else's event.
func DedupKeyOf(tenant, source, id string) DedupKey {
	buf := make([]byte, 0, 128)
	for _, s := range [...]string{tenant, source, id} {
		buf = binary.AppendUvarint(buf, uint64(len(s)))
		buf = append(buf, s...)
	}
	sum := sha256.Sum256(buf)
	return DedupKey(sum[:16])
}

// Position is the place of a record in the log: the sequence of its frame,
// counted from 1, and its index within the frame. Positions are totally
// ordered and stay the same for good. The zero Position is the log's start.
type Position struct {
	Frame uint64
	Index uint32
}

// Compare returns -1, 0 or +1 when p lies before, at or after q.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Frame, q.Frame), cmp.Compare(p.Index, q.Index))
}

// Next is the first place after p: where to go on when p has been dealt with.
// It need not hold a record; Follow goes on with the next frame then.
func (p Position) Next() Position { return Position{Frame: p.Frame, Index: p.Index + 1} }

func (p Position) String() string { return fmt.Sprintf("%d.%d", p.Frame, p.Index) }

// Frame is what one commit stored: records in their order. Nobody may change a
// frame once it has been handed on; readers share it.
type Frame struct {
	Seq     uint64   // the frame's place in the log, counted from 1
	First   uint32   // index of Records[0]; above 0 only in the first frame of a Follow that starts inside it
	Records []Record // never empty
}

// At is the position of f.Records[i].
func (f *Frame) At(i int) Position { return Position{Frame: f.Seq, Index: f.First + uint32(i)} }

// Last is the position of the frame's last record.
func (f *Frame) Last() Position { return f.At(len(f.Records) - 1) }

// Shards is the number of parts a log is divided into on paper: lanes are
// assigned to shards, and shards to the streams that carry them. One machine
// carries them all in one stream.
const Shards = 64

// Shard is the part of the log that a lane belongs to. It never changes for a
// given tenant and lane.
func Shard(tenant string, lane uint32) int {
	const offset, prime = 2166136261, 16777619 // FNV-1a, 32 bits
	h := uint32(offset)
	for i := range len(tenant) {
		h = (h ^ uint32(tenant[i])) * prime
	}
	return int((h + lane) % Shards)
}
