// Package eventlog is the durable log of a host: what was accepted, in order,
// on disk before anybody is told so. It carries records and reads none of them.
//
// # The parts
//
// A Log is the log of one group. It is kept in a Store, which an Engine gives
// out. The engine is one of
//
//   - a nats-server inside the process, alone: it has no listener, and its folder
//     belongs to this process;
//   - one of a Cluster of such servers, which keep copies of each other's streams;
//   - a connection to Servers elsewhere.
//
// Open is the short form for one machine, which has one group: it starts the
// engine and opens the log of group 0. Engine.Open opens others beside it, and
// OpenStore a log in a store of somebody else, such as the one in memory of
// eventlogtest.
//
// A group has two streams, a few notes and a store of blobs:
//
//   - EV has what comes in: events, and control records in the same lanes (rule
//     revisions, clock ticks, checkpoints of sources), so that a replay applies
//     the same rules at the same place and sees the same clock. The Committer is
//     its only writer. Follow and Read hand its frames on.
//   - RUN has what the core decides: each progress commit is one frame, written
//     by RunLog.Append and read back by RunLog.Replay.
//   - Notes, in the stream SNAP, are small records of which the newest few are
//     kept: where Snapshots are, which of the Editions is in force, how far the
//     streams were purged, who has claimed the group, and what Probe writes.
//   - Blobs are kept by digest: modules, compiled rules, snapshots.
//
// # How a record gets in
//
// Commit puts records into a queue. Run, one goroutine, takes whatever is
// queued, up to one frame's worth, and stores it as one message with one sync;
// while that is under way the next frame's records queue up by themselves, so
// frames grow with the load and nothing ever waits for company. The answer
// follows the sync: a record whose Commit returned nil survives the process and
// a power cut. All records of one Commit lie in one frame, in their order; or
// none does.
//
// Every message names the sequence it must get. So a second writer is found out
// (ErrFenced), and when an answer is late the stream is read before anything is
// sent again. An answer other than ErrUncertain is final: what was refused is not
// stored later either. What a client sends twice, recognised by DedupKey within a window,
// is stored once and answered as accepted; the window is read from the log
// itself and survives a restart.
//
// Where a Meter is given, it is asked for room for each commit, and told of each
// frame: so it knows to the byte what every tenant holds, also of commits whose
// callers have gone, and what it refuses is stored by nobody. It counts bytes;
// what they are worth is its owner's business.
//
// Followers see a frame after its sync, from memory. The newest frames are kept
// for them, bounded in bytes; one that falls further behind reads the stream
// until it has caught up. Nobody waits for a follower.
//
// # What is checked
//
// Frames are numbered, carry a checksum and that of the frame before, and count
// the records before them; every read checks all of that. A small file, the
// witness, remembers the last frame acknowledged. After an unclean stop the
// engine would cut a damaged block off at the damage; therefore Open reads the
// blocks first, lets a write go that the stop interrupted, and refuses anything
// else with a *CorruptError, leaving the folder as it is. Damage in blocks
// that a clean stop has vouched for shows when they are read.
//
// Commits are refused with ErrDiskFull while there is still room on disk: the
// engine does not recover from a write that failed until it is started anew.
// Probe tells whether a write reaches the disk now.
//
// Witness and blocks are looked at where the server is alone. In a cluster a
// server's files may lag behind what was acknowledged, and what it lacks the
// others have; of servers elsewhere there are no files to see.
//
// # Who writes
//
// A group has one owner at a time. Who takes it over opens its log and calls
// Claim, which appends a record to both streams; the owner before finds it at its
// next append, and ends with ErrFenced, however long it has slept. Nothing else
// is needed for safety: a lease only spares two from trying at once. On one
// machine the lock of the folder does as much, and nobody claims.
//
// # Servers that store together
//
// With three copies a frame is acknowledged when two servers have it on disk. While
// they elect a leader, which takes seconds after one has died, calls wait, for
// AckTimeout at the most when they write; then they end in ErrUnavailable if the
// message has surely reached nobody, and in ErrUncertain otherwise. A copy may lag
// behind: what it does not have the leader is asked for before it counts as lost.
// Streams tells where copies and leaders are, MoveLeaders moves the leaders.
//
// # What is removed
//
// Release removes what lies before a position of EV and a frame of RUN. It
// records first how far it goes: a stream that starts later than that is damaged.
// It keeps the frames that opening the log needs, so that a lane that has been
// quiet goes on with its next sequence, and a duplicate inside the window is
// recognised, however much was released.
//
// # Concurrency
//
// All methods of Engine, Log, Committer and RunLog may be called together. Run
// blocks and is called once; who wants to decide when each frame is committed
// calls Step instead. Close waits for Run and, after Open, for the engine; it does
// not wait for Follow and Read, which return ErrClosed.
//
// # The folder
//
//	lock        locked while the log is open; says by whom
//	witness     last frame acknowledged of each stream, and how far it was purged;
//	            whether the folder was closed in good order
//	witness-3   the same of group 3
//	blocks      block files and their sizes, as the last clean stop left them
//	jetstream/  the engine's
//
// # The frame
//
// A frame is one message of a stream. Numbers are little-endian; uvarint is the
// variable-length encoding of encoding/binary; text is a uvarint length and as
// many bytes.
//
//	offset size
//	0      4    "rhlg"
//	4      1    format version: 1
//	5      1    1 in EV, 2 in RUN, 3 in a note
//	6      2    0
//	8      4    CRC-32C of everything from offset 12 on
//	12     4    length of the frame
//	16     4    number of records, at least 1
//	20     4    offset of the lane table; 0 but in EV
//	24     8    the frame's sequence in its stream, from 1
//	32     8    drawn by each process that opens the log
//	40     8    number of records in the stream before this frame
//	48     8    base time, Unix nanoseconds
//	56     4    CRC-32C of the frame before; 0 in the first
//	60     4    number of lanes known after this frame; 0 but in EV
//	64          records
//
// A record of EV:
//
//	1        kind
//	1        flags
//	1        shape: 1 if there is a key, plus 2 if there is a DedupKey
//	uvarint  entry of the lane table
//	uvarint  nanoseconds since the record before, or since the base time
//	text     key, if there is one
//	16       DedupKey, if there is one
//	text     body
//
// The lane table: a uvarint count, and for each lane
//
//	text     tenant
//	uvarint  lane
//	uvarint  records in the lane before this frame
//
// A lane's records have the sequences that follow its entry's number. A lane
// without a record in the frame may have an entry as well: every lane is named
// once in a while, so that the newest frames tell where all of them stand.
//
// A record of RUN:
//
//	1        kind
//	text     key
//	text     body
//
// A note is the only record of its frame; sequence, records before and checksum
// before are those of the notes of its name:
//
//	text     name
//	text     body: of "floor", two uvarints, the first frame left in EV and in RUN;
//	         of "claim", two uvarints, the epoch and the writer of the owner's frames,
//	         and the owner as text; of "snapshot" and "edition", what the host put
//	         there
package eventlog
