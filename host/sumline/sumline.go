// Package sumline guards small text files against damage: the last line of a file
// is the checksum of what comes before it.
//
//	…
//	#crc32c 8f3a11c0
//
// A file without such a line, as older versions wrote it or a person, is taken as it
// is. Whoever changes a file by hand takes the line away. The functions are pure.
package sumline

import (
	"bytes"
	"fmt"
	"hash/crc32"
)

const mark = "#crc32c "

// lineSize is the size of the line: mark, eight digits, the end of the line.
const lineSize = len(mark) + 8 + 1

//nolint:gochecknoglobals // a table that never changes
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Add returns text with its checksum as the last line. text should end a line.
func Add(text []byte) []byte {
	return fmt.Appendf(bytes.Clone(text), "%s%08x\n", mark, crc32.Checksum(text, castagnoli))
}

// Check returns a file's text without the line. The error says that the text is not
// what the checksum is of, or that the line is damaged. The text is a part of b.
func Check(b []byte) ([]byte, error) {
	// A line that is cut off or changed in one place still shows that there was one.
	at := bytes.LastIndex(b, []byte("\n#"))
	if at < 0 || len(b)-at-1 > 2*lineSize {
		return b, nil
	}
	text, line := b[:at+1], b[at+1:]
	if want := fmt.Sprintf("%s%08x\n", mark, crc32.Checksum(text, castagnoli)); string(line) != want {
		return nil, fmt.Errorf("it is damaged: its last line is %q, and its checksum would be %q; restore it from a backup, or take the line away if you have changed the file by hand", line, want[:len(want)-1])
	}
	return text, nil
}
