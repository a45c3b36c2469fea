package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/eventlog"
)

// Query chooses records; see api.Query.
type Query = api.Query

// Archive reads the data folder of a host that is not running. It holds the
// folder's lock until Close and writes nothing.
type Archive struct{ records }

// OpenArchive opens a data folder. The error says so when a host has it open.
func OpenArchive(ctx context.Context, data string) (*Archive, error) {
	dir := filepath.Join(data, "log")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no log; nothing has run there yet, or another folder is meant (--app, --data)", data)
	}
	log, err := eventlog.Open(ctx, eventlog.Config{Dir: dir, Owner: "rhost, which reads it"})
	if err != nil {
		return nil, err
	}
	return &Archive{records{log}}, nil
}

// Close releases the folder.
func (a *Archive) Close() error { return a.log.Close() }

// Matches returns recorded matches, oldest first, and where the next page
// starts; 0 when there is nothing more.
func (a *Archive) Matches(ctx context.Context, q Query) ([]json.RawMessage, uint64, error) {
	p, err := a.matches(ctx, q)
	return p.Items, p.Cursor, err
}

// Actions returns actions as Matches does matches.
func (a *Archive) Actions(ctx context.Context, q Query) ([]json.RawMessage, uint64, error) {
	p, err := a.actions(ctx, q)
	return p.Items, p.Cursor, err
}

// Match returns one recorded match with its reasons.
func (a *Archive) Match(ctx context.Context, id string) (json.RawMessage, error) {
	return a.match(ctx, id)
}

// DeadLetters returns what failed for good.
func (a *Archive) DeadLetters(ctx context.Context) ([]json.RawMessage, error) {
	return a.deadLetters(ctx)
}
