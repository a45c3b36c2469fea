//go:build unix

package eventlog_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFailedWrite has a write of the engine fail although there is room on disk, by
// a limit on the size of files. The committer ends and says why, rather than wait for
// ever, and everything that was acknowledged is there.
func TestFailedWrite(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell to set a limit")
	}
	dir := filepath.Join(t.TempDir(), "log")
	cmd := exec.CommandContext(t.Context(), sh, "-c", `ulimit -f 1000 && exec "$0"`, os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir, childPatience+"=300ms")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.Error(t, cmd.Run())
	var acked acks
	acked.read(t, &out)
	require.Positive(t, acked.count, errs.String())
	assert.Contains(t, errs.String(), "the storage engine cannot write any more; make room and start again")
	checkAcked(t, dir, &acked)
}
