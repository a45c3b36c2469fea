// Package fswatch watches a folder, with all that is in it, and makes an event of
// each change:
//
//	fs.create    something came to be, or was moved here
//	fs.write     a file's content changed; several writes soon after another are one event
//	fs.attrib    permissions, owner or times changed; merged like writes
//	fs.rename    something was moved away from this path
//	fs.remove    something was removed
//	fs.overflow  changes came faster than they could be read
//	fs.error     something could not be watched, and why
//
// The payload holds path (starting as the configured path does), name, dir, for
// folders folder: true, for files size, and entropy when the config asks for it.
//
// There is one inotify watch for each folder; a new folder is watched and then
// looked through, so that nothing made in it meanwhile is missed. The source keeps
// what it knows of each file, about 200 bytes. When the system's queue overflows
// it tells so, looks through the whole tree and tells what differs. Symbolic links
// are told and not followed, so a loop of them is harmless.
//
// Changes made while the source does not run are not told: there is no place to
// go on from. What a process did cannot be told from who did it; inotify does not
// say.
package fswatch
