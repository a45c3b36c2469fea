package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// style writes for a person at a terminal, or plainly for everyone else.
type style struct {
	w     io.Writer
	color bool
}

// newStyle colours only what goes to a terminal, and honours NO_COLOR
// (https://no-color.org).
func newStyle(w io.Writer) style {
	return style{w: w, color: isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (s style) paint(code, text string) string {
	if !s.color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string   { return s.paint("1", text) }
func (s style) dim(text string) string    { return s.paint("2", text) }
func (s style) red(text string) string    { return s.paint("31", text) }
func (s style) green(text string) string  { return s.paint("32", text) }
func (s style) yellow(text string) string { return s.paint("33", text) }
func (s style) cyan(text string) string   { return s.paint("36", text) }

// line writes one line. Values from outside go through clean first.
func (s style) line(format string, args ...any) error {
	_, err := fmt.Fprintf(s.w, format+"\n", args...)
	return err
}

// clean takes control characters out of text from outside, which could
// otherwise move the cursor or rename the window of a terminal.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
			return '·'
		}
		return r
	}, text)
}

// table writes rows in aligned columns, below a head unless that is nil.
func (s style) table(head []string, rows [][]string) error {
	return s.columns(make(map[int]int), head, rows)
}

// columns is table with the widths of what was written before, which it raises
// where this is wider.
func (s style) columns(width map[int]int, head []string, rows [][]string) error {
	all := rows
	if head != nil {
		all = append([][]string{head}, rows...)
	}
	for _, row := range all {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range all {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(pad(clean(cell), width[i]+2))
		}
		text := strings.TrimRight(b.String(), " ")
		if n == 0 && head != nil {
			text = s.dim(text)
		}
		if err := s.line("%s", text); err != nil {
			return err
		}
	}
	return nil
}
