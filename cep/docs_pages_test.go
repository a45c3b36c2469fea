package cep_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// block is a fenced block of a page.
type block struct {
	kind    string // its info string: "yaml rule"
	line    int    // of the fence
	text    string
	pending string // why it cannot be run yet; from a comment <!-- pending: … --> before it
}

// readPage gives the blocks and the rows of the tables of a page.
func readPage(t *testing.T, name string) (blocks []block, rows []row) {
	t.Helper()
	src, err := os.ReadFile(name)
	require.NoError(t, err)
	var open *block
	var pending string
	var table tableReader
	for i, line := range strings.Split(string(src), "\n") {
		switch info, fence := strings.CutPrefix(line, "```"); {
		case fence && open == nil:
			open, pending = &block{kind: info, line: i + 1, pending: pending}, ""
		case fence:
			blocks, open = append(blocks, *open), nil
		case open != nil:
			open.text += line + "\n"
		case strings.HasPrefix(line, "<!-- pending: "):
			pending = strings.TrimSuffix(strings.TrimPrefix(line, "<!-- pending: "), " -->")
		default:
			rows = table.line(i+1, line, rows)
		}
	}
	require.Nil(t, open, "a block is not closed")
	return blocks, rows
}

var (
	links    = regexp.MustCompile(`\]\(([^)\s]*[.#][^)\s]*)\)`)
	headings = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// TestManualLinks looks for what the links of the pages lead to.
func TestManualLinks(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	require.NoError(t, err)
	for _, page := range pages {
		page = filepath.Base(page)
		src, err := os.ReadFile(filepath.Join("..", "docs", page))
		require.NoError(t, err)
		for _, link := range links.FindAllStringSubmatch(string(src), -1) {
			file, anchor, _ := strings.Cut(link[1], "#")
			if strings.Contains(file, "://") {
				continue
			}
			if file == "" {
				file = page
			}
			target, err := os.ReadFile(filepath.Join("..", "docs", file))
			if info, statErr := os.Stat(filepath.Join("..", "docs", file)); statErr == nil && info.IsDir() {
				continue
			}
			require.NoError(t, err, "%s: %s", page, link[1])
			assert.True(t, anchor == "" || slices.Contains(anchors(string(target)), anchor), "%s: there is no %s", page, link[1])
		}
	}
}

// anchors gives what headings are called in links.
func anchors(text string) []string {
	var list []string
	for _, h := range headings.FindAllStringSubmatch(text, -1) {
		list = append(list, strings.Map(func(c rune) rune {
			switch {
			case c == ' ':
				return '-'
			case c == '-' || c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c):
				return unicode.ToLower(c)
			}
			return -1
		}, h[1]))
	}
	return list
}
