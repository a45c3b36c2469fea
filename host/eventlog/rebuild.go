package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/nats-io/nats.go/jetstream"
)

// Rebuild writes a log anew from frames and blobs that were copied out of it: the
// same frames under the same numbers. Its methods belong to one goroutine.
type Rebuild struct {
	log   *Log
	check map[string]*Checker
	at    map[string]*stream
}

// NewRebuild begins to write a log into dir, which must be missing or empty; its
// parent must exist. The log is not to be used until Finish.
func NewRebuild(ctx context.Context, dir string, logger *slog.Logger) (*Rebuild, error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("write log %s: the folder is not empty", dir)
	}
	l, err := Open(ctx, Config{Dir: dir, Owner: "rhost, which restores it", Logger: logger})
	if err != nil {
		return nil, err
	}
	return &Rebuild{log: l, check: make(map[string]*Checker), at: make(map[string]*stream)}, nil
}

// Frame stores the next frame of stream EV or RUN, whose first may have any
// number. It is checked before. It is on disk when Frame returns.
func (r *Rebuild) Frame(ctx context.Context, name string, seq uint64, b []byte) error {
	s, err := r.stream(ctx, name, seq)
	if err != nil {
		return err
	}
	if _, err := r.check[name].Check(seq, b); err != nil {
		return err
	}
	return s.publish(seq, b)
}

// stream gives the stream, and has it begin with the first frame that is stored.
func (r *Rebuild) stream(ctx context.Context, name string, seq uint64) (*stream, error) {
	if s := r.at[name]; s != nil {
		return s, nil
	}
	s := map[string]*stream{eventStream: r.log.events, runStream: r.log.run.out.s}[name]
	if s == nil {
		return nil, fmt.Errorf("there is no stream %s in this log", name)
	}
	if seq > 1 {
		js, err := jetstream.New(s.read)
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		st, err := js.Stream(ctx, name)
		if err == nil {
			err = st.Purge(ctx, jetstream.WithPurgeSequence(seq))
		}
		if err != nil {
			return nil, fmt.Errorf("stream %s: begin with frame %d: %w", name, seq, err)
		}
	}
	r.at[name], r.check[name] = s, NewChecker(name)
	return s, nil
}

// Blob stores a blob. It is on disk when Blob returns.
func (r *Rebuild) Blob(ctx context.Context, digest string, b []byte) error {
	return r.log.PutBlob(ctx, digest, b)
}

// Finish notes what the streams end with and closes the log. When good is false,
// it closes it as a crash would have.
func (r *Rebuild) Finish(good bool) error {
	var errs []error
	for name, slot := range map[string]int{eventStream: slotEvents, runStream: slotRun} {
		c := r.check[name]
		if c == nil {
			continue
		}
		seq, sum, _ := c.Tail()
		errs = append(errs, r.log.witness.say(slot, testimony{seq: seq, crc: sum}))
	}
	if !good {
		r.log.committer.out.doubt = true
	}
	return errors.Join(append(errs, r.log.Close())...)
}
