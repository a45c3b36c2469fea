// Package files tails a file and makes each of its lines an event.
//
// A line is a CloudEvent in JSON (`format: ndjson`), any JSON value that becomes
// the payload of an event of the configured type (`json`), or a text whose named
// groups in a regular expression become the fields of the payload (`regex`).
//
// The Source keeps its place as inode and offset, in the same write as the
// events it read, and gives an event an id made of both. So a crash loses no
// line, and a line that is read again is accepted once. It follows a file that is
// renamed and made anew, and one that is copied and truncated, also when that
// happens while the host is down: the place holds a fingerprint of the file's
// beginning, by which its rotated form is found. A line without its line break is
// still being written and waits.
//
// What cannot be read (a line over the limit, text that is not JSON, a time of
// another form) becomes a connect.BadRecord with file and offset, and the tail
// goes on. A file or folder that cannot be read at all is an error of Run; the
// supervisor tries again.
package files
