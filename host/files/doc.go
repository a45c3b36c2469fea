// Package files changes files for workflow steps, inside folders that an
// operator has granted and nowhere else: copy, move, tag and delete.
//
// An Executor holds the granted folders open as os.Root, so neither ".." nor a
// symbolic link leads out of them, whatever changes on disk meanwhile. A path in
// a step is absolute, beneath the path of a folder, or begins with the name of
// one: "quarantine/a.txt".
//
// Every operation leaves behind what takes it back, as "undo" in its output,
// which {"revert": …} takes:
//
//   - copy and move never replace anything. A target that ends in "/" or is a
//     folder takes the file under its own name, or a numbered one where that is
//     taken; missing folders are made. Files are copied within and between
//     folders; whole folders are moved within one only. Undone, a copy is removed,
//     unless it has changed since, and what was moved goes back.
//   - tag writes name and value pairs beside a file, into
//     NAME.rhost-tags.json, which works on every file system and shows in every
//     listing. A value of null takes a tag away, and the last one the file. A tag
//     stays where it was written when the file is moved. Undone, the tags it set
//     are as before.
//   - delete moves what it deletes into .rhost-trash of the same folder, from
//     where it goes back when undone. Sweep empties the trash of what is old.
//
// Symbolic links, devices and the like are refused, and so are names that begin
// with ".rhost", which are the host's own.
//
// # Once
//
// An operation has an idempotency key. Before anything is changed, what will be
// done is written to a journal under that key, with every name decided; when it
// is done, so is its output. An operation that comes again with the same key
// gives the output it gave, or finishes what the journal says; so a move that a
// crash cut off is done once, and a second try finds it done.
//
// Errors are of type *Error, with a Kind in the words of a workflow. An Executor
// is safe for concurrent use, as long as one key is not used twice at a time.
package files
