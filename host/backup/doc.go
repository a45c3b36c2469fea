// Package backup copies what a host holds to a folder, checks such a copy, and
// makes a host of it again.
//
// # The parts
//
//   - Write takes an eventlog.Cut, a moment of the log that a crash could have
//     left, and writes its frames into segments, its blobs by digest, and copies
//     of the files it is given beside them. It needs no pause of the host. Written
//     into a folder with an earlier backup of the same log, it adds what is new.
//   - Verify reads everything back: every checksum, the chain of every stream,
//     every digest. It reports all that is wrong, each by name.
//   - Restore verifies, then writes a log with the same frames under the same
//     numbers into an empty folder, compares it with the backup, and only then
//     puts it where a host would look.
//
// What records mean is nothing to this package; a caller may hand in a function
// that looks into every frame.
//
// # The folder
//
//	manifest.json         what there is, with checksums; written last, in one step
//	incomplete            there while a backup is being written
//	streams/NAME/SEQ.seg  frames of a stream, from number SEQ on
//	blobs/HE/HEXDIGITS    a blob; its name is its SHA-256
//	files/N/app, data     copies of files, as they were at the N-th backup
//
// Nothing that a manifest names is ever changed. A backup that was cut off leaves
// the manifest before it as it was, and the folder says so: incomplete is there.
// What no manifest names is removed by the next backup.
//
// manifest.json is an object with two keys: "sha256", the digest of the bytes of
// the other's value, and "manifest", a Manifest.
//
// # The segment
//
// Numbers are little-endian.
//
//	offset size
//	0      4    "rhsg"
//	4      1    format version: 1
//	5      3    0
//	8           messages, each:
//	       4    length of the bytes
//	       4    CRC-32C of what follows
//	       8    sequence
//	       8    time at which it was stored, Unix nanoseconds
//	            the bytes: a frame, as package eventlog describes it
//
// # Concurrency
//
// The functions may be called together on different folders. Two backups into
// one folder at a time exclude each other by a lock on the file "lock".
package backup
