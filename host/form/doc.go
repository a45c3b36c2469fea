// Package form has the pieces of which the host makes what it keeps on disk: the
// histories and snapshots of executions, the payloads of matches, the snapshots of
// lanes.
//
//	number   a uvarint; one that may be negative, a varint
//	text     its length as a uvarint, and as many bytes
//	raw      0 for none; or its length plus 1 as a uvarint, and as many bytes
//	time     0 for none; or the nanoseconds of its second plus 1 as a uvarint, and its
//	         Unix seconds as a varint
//
// The Append functions write them. Reader takes them off a slice, and Stream off a
// bufio.Reader, in the order in which they were written. What is read may be damaged,
// or anybody's: the first mistake sticks, whatever is read after it is zero, and Err
// tells of it, so that a caller asks once, in the end. Neither takes more memory than a
// small multiple of the bytes that there are.
package form
