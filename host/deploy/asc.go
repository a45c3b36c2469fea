package deploy

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

//go:embed asc.mjs
var ascScript string

const (
	// maxAscAnswer bounds a line of the process. It sends 64 Ki characters of messages
	// at most, and JSON may make six bytes of each.
	maxAscAnswer = 512 << 10
	// maxAscMemory is what the process may hold after a build: the optimizer never
	// gives memory back.
	maxAscMemory = 1 << 30
)

// errAsc is the error of a compiler that is not at work, whatever the source says.
var errAsc = errors.New("the compiler's process is not at work")

// ascProcess is a node that has the AssemblyScript compiler loaded, and compiled by
// node's own compilers, which is most of the time that a first build takes. It works
// for one folder. It is not safe for concurrent use.
type ascProcess struct {
	dir, lib string
	libAt    time.Time // when the compiler was written: an update replaces it
	cmd      *exec.Cmd
	in       io.WriteCloser
	out      *bufio.Reader
}

// startAsc starts a process for a folder of source. Who started it calls stop.
func startAsc(dir string) (*ascProcess, error) {
	lib, err := ascLibrary(dir)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(lib)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errAsc, err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errAsc, err)
	}
	p := &ascProcess{dir: dir, lib: lib, libAt: info.ModTime()}
	p.cmd = exec.Command(node, "--input-type=module", "--eval", ascScript, "--", lib) //nolint:noctx // it outlives the build that starts it; stop ends it
	p.cmd.Dir = dir
	in, inErr := p.cmd.StdinPipe()
	out, outErr := p.cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr); err != nil {
		return nil, fmt.Errorf("%w: %w", errAsc, err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", errAsc, err)
	}
	p.in, p.out = in, bufio.NewReaderSize(out, maxAscAnswer)
	return p, nil
}

// ascLibrary finds the compiler as a library: that of the command that a build would
// run.
func ascLibrary(dir string) (string, error) {
	asc, err := findAsc(dir)
	if err != nil {
		return "", err
	}
	if target, err := filepath.EvalSymlinks(asc); err == nil {
		asc = target
	}
	for _, lib := range []string{
		filepath.Join(filepath.Dir(asc), "..", "dist", "asc.js"),                   // a link to bin/asc.js of the package
		filepath.Join(filepath.Dir(asc), "..", "assemblyscript", "dist", "asc.js"), // a script in node_modules/.bin
	} {
		if _, err := os.Stat(lib); err == nil {
			return filepath.Abs(lib)
		}
	}
	return "", fmt.Errorf("%w: no library goes with %s", errAsc, asc)
}

// fits reports whether the process can do the builds of a folder as a new one would.
func (p *ascProcess) fits(dir string) bool {
	info, err := os.Stat(p.lib)
	return err == nil && p.dir == dir && info.ModTime().Equal(p.libAt)
}

// build compiles the folder's source into out. Its error is of the source, and the
// process can go on; or it is errAsc, and the process is to be stopped, as it is when
// last is true. The end of ctx ends the process.
func (p *ascProcess) build(ctx context.Context, out string) (last bool, err error) {
	stop := context.AfterFunc(ctx, func() { p.cmd.Process.Kill() }) //nolint:errcheck // it may have ended
	defer stop()
	request, err := json.Marshal([]string{"--outFile", out})
	if err != nil {
		return true, err
	}
	if _, err := p.in.Write(append(request, '\n')); err != nil {
		return true, fmt.Errorf("%w: %w", errAsc, err)
	}
	line, err := p.out.ReadSlice('\n')
	if err != nil {
		return true, fmt.Errorf("%w: %w", errAsc, err)
	}
	var answer struct {
		OK, Broken bool
		Said       string
		Memory     int64
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return true, fmt.Errorf("%w: %w", errAsc, err)
	}
	switch {
	case answer.Broken:
		return true, fmt.Errorf("%w: %s", errAsc, answer.Said)
	case !answer.OK:
		err = compilerSaid("asc", p.dir, errors.New("failed"), []byte(answer.Said))
	}
	return answer.Memory > maxAscMemory, err
}

// stop ends the process and waits for it.
func (p *ascProcess) stop() {
	//nolint:errcheck // it was killed: how it ended says nothing
	errors.Join(p.in.Close(), p.cmd.Process.Kill(), p.cmd.Wait())
}

// wantsOwnAsc reports whether a build is to have a compiler of its own, because the
// author's code runs in it, and may have changed since the last one.
func wantsOwnAsc(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "asconfig.json"))
	return err != nil || bytes.Contains(text, []byte(`"transform"`)) || bytes.Contains(text, []byte(`"extends"`))
}
