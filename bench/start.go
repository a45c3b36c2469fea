package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// startSuite runs the sshguard example from the command to the first match, with
// its plugin compiled before and an empty log.
func startSuite(ctx context.Context) ([]measure, func() error, error) {
	dir, err := os.MkdirTemp("", "rhost-bench-")
	if err != nil {
		return nil, nil, err
	}
	done := func() error { return os.RemoveAll(dir) }
	bin := filepath.Join(dir, "rhost")
	if text, err := exec.CommandContext(ctx, "go", "build", "-o", bin, "./cmd/rhost").CombinedOutput(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("build rhost (run this from the repository): %w\n%s", err, text), done())
	}
	s := &starter{bin: bin, data: filepath.Join(dir, "data")}
	if _, err := s.firstMatch(ctx, 0); err != nil { // builds and compiles the plugin
		return nil, nil, errors.Join(err, done())
	}
	return []measure{
		{name: "rhost run to its first match", unit: "ms", base: "rhost version", fn: s.firstMatch},
		{name: "rhost version", unit: "ms", fn: s.version},
	}, done, nil
}

type starter struct{ bin, data string }

func (s *starter) firstMatch(ctx context.Context, _ time.Duration) (float64, error) {
	if err := os.RemoveAll(filepath.Join(s.data, "log")); err != nil {
		return 0, err
	}
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, s.bin, "run", "plugins/examples/sshguard", "--data", s.data, "--listen", "off", "--json")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	took := -1.0
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if bytes.Contains(lines.Bytes(), []byte(`"match":{`)) {
			took = float64(time.Since(began)) / float64(time.Millisecond)
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		return 0, err
	}
	if err := cmd.Wait(); err != nil && took < 0 {
		return 0, fmt.Errorf("no match: %w", err)
	}
	return took, nil
}

// version starts a process of the same size that does nothing.
func (s *starter) version(ctx context.Context, _ time.Duration) (float64, error) {
	began := time.Now()
	err := exec.CommandContext(ctx, s.bin, "version").Run()
	return float64(time.Since(began)) / float64(time.Millisecond), err
}
