package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rhost/rhost/host"
)

// A large file is read in parts, and gives the same rules in the same order; what
// is wrong in it is said as of a small one.
func TestLargeFilesAreReadInParts(t *testing.T) {
	var b strings.Builder
	n := 0
	for ; b.Len() < large+1000; n++ {
		fmt.Fprintf(&b, "---\nrule: r%d\nwhen: type == \"t%d\" && data.text == \"%0100d\"\n", n, n, n)
	}
	l := loading{}
	rules, err := l.parse([]host.RuleFile{{Name: "r.yaml", Text: b.String()}})
	require.NoError(t, err)
	require.Len(t, rules, n)
	assert.EqualValues(t, n, l.read.Load())
	for i, r := range rules {
		require.Equal(t, fmt.Sprintf("r%d", i), r.Name)
		require.Equal(t, 3*i+2, r.Pos.Line)
	}
	_, err = l.compile([]host.RuleFile{{Name: "r.yaml", Text: b.String() + "---\nrule: x\nwen: y\n"}})
	require.ErrorContains(t, err, fmt.Sprintf("r.yaml:%d:1: wen: unknown key", 3*n+3))
}
