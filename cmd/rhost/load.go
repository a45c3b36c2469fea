package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rhost/rhost/cep"
	"github.com/rhost/rhost/host"
)

// loading reads rule files and compiles them.
type loading struct {
	cache     string    // folder of compiled rules; "" for none
	keepGoing bool      // leave out files that are wrong, and report them beside the program
	progress  io.Writer // where to say how far it is, if that is a terminal

	rules atomic.Int64 // read so far
}

// program compiles the rules of files and folders, or takes them from the cache.
// The error names every problem.
func (l *loading) program(names []string) (*cep.Program, error) {
	done := l.tell()
	defer done()
	files, err := ruleFiles(names)
	if err != nil {
		return nil, err
	}
	thrift(files)
	if l.cache == "" {
		return l.compile(files)
	}
	file, key, err := l.place(files)
	if err != nil {
		return nil, err
	}
	if b, err := os.ReadFile(file); err == nil {
		p, err := cep.LoadProgram(b, key)
		if !errors.Is(err, cep.ErrCache) {
			return p, err
		}
	}
	p, err := l.compile(files)
	if err != nil || p == nil {
		return p, err
	}
	return p, store(p, file, key)
}

// thrift makes the garbage collector work more often when there are very many
// rules: what they take stays, what matching takes is little, and a heap that may
// double would need a gigabyte to spare. GOGC says otherwise.
func thrift(files []host.RuleFile) {
	const much, percent = 32 << 20, 25
	size := 0
	for _, f := range files {
		size += len(f.Text)
	}
	if size > much && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// compile reads and compiles the rules. With keepGoing, files that are wrong are
// left out and reported beside the program.
func (l *loading) compile(files []host.RuleFile) (*cep.Program, error) {
	p, err := l.build(files)
	if err == nil || !l.keepGoing {
		return p, err
	}
	var right []host.RuleFile
	var errs []error
	for _, f := range files {
		if _, err := l.build([]host.RuleFile{f}); err != nil {
			errs = append(errs, err)
		} else {
			right = append(right, f)
		}
	}
	p, err = l.build(right)
	return p, errors.Join(append(errs, err)...)
}

// place names the file of the cache for these rules, which is the same when their
// contents change, and the key that says what is in it.
func (l *loading) place(files []host.RuleFile) (file, key string, err error) {
	names, all := sha256.New(), sha256.New()
	for _, f := range files {
		abs, err := filepath.Abs(f.Name)
		if err != nil {
			return "", "", err
		}
		fmt.Fprintf(names, "%s\n", abs)                                  //nolint:errcheck // a hash takes everything
		fmt.Fprintf(all, "%d %s %d\n", len(f.Name), f.Name, len(f.Text)) //nolint:errcheck // likewise
		io.WriteString(all, f.Text)                                      //nolint:errcheck // likewise
	}
	file = filepath.Join(l.cache, hex.EncodeToString(names.Sum(nil)[:12])+".rules")
	return file, release() + " " + hex.EncodeToString(all.Sum(nil)), nil
}

// release tells builds of this program apart.
func release() string {
	text := version + " " + runtime.GOARCH
	if info, ok := debug.ReadBuildInfo(); ok {
		text += " " + info.GoVersion + " " + info.Main.Version
	}
	if exe, err := os.Executable(); err == nil {
		if info, err := os.Stat(exe); err == nil {
			text += " " + strconv.FormatInt(info.Size(), 10) + " " + info.ModTime().UTC().Format(time.RFC3339Nano)
		}
	}
	return text
}

// store writes the program into the cache, so that only its owner can read it and
// whoever reads it sees all of it or nothing.
func store(p *cep.Program, file, key string) error {
	debug.FreeOSMemory() // what compiling has left is scattered, and the bytes want room in one piece
	b, ok := p.AppendCache(nil, key)
	if !ok {
		return nil
	}
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep compiled rules: %w", err)
	}
	tmp, err := os.CreateTemp(dir, ".rules-*") // readable to its owner alone
	if err != nil {
		return fmt.Errorf("keep compiled rules: %w", err)
	}
	_, err = tmp.Write(b)
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("keep compiled rules: %w", err), os.Remove(tmp.Name()))
	}
	return nil
}

// patience is how long loading may take before it says how far it is.
const patience = 2 * time.Second

// tell says on a terminal how many rules have been read, once that takes long.
// What it returns ends that, and is to be called.
func (l *loading) tell() (done func()) {
	if l.progress == nil || !isTerminal(l.progress) {
		return func() {}
	}
	end := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		wait, said := patience, false
		for {
			select {
			case <-end:
				if said {
					fmt.Fprint(l.progress, "\r\x1b[K") //nolint:errcheck // there is nowhere left to say so
				}
				return
			case <-time.After(wait):
				fmt.Fprintf(l.progress, "\rreading rules: %s", thousands(l.rules.Load())) //nolint:errcheck // likewise
				wait, said = patience/10, true
			}
		}
	})
	return func() {
		close(end)
		running.Wait()
	}
}
