package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/rhost/rhost/host/api"
	"github.com/rhost/rhost/host/backup"
	"github.com/rhost/rhost/host/eventlog"
)

// backupElsewhere backs up a log that is not in the data folder: through servers
// elsewhere; that of servers within nodes a node has to back up.
func backupElsewhere(ctx context.Context, o Options, config Config, data, out string, progress func(done, total int64)) (res *BackupResult, err error) {
	c := config.Cluster
	if len(c.Servers) == 0 {
		return nil, ErrThroughNode
	}
	e, err := c.start(ctx, o.App, "", nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return writeBackup(ctx, o, config, data, out, backup.Options{Take: backup.OfEngine(e), Progress: progress})
}

// Backup writes a backup of the cluster's log, and of the app and the data folder of
// this node, into a folder of this node; see the function Backup. It does not matter
// whether the node owns the log.
func (n *Node) Backup(ctx context.Context, out string) (*BackupResult, error) {
	if !filepath.IsAbs(out) {
		return nil, api.Kind(api.ErrInvalid, fmt.Errorf("%q is not an absolute path", out))
	}
	if _, _, err := n.joined(); err != nil {
		return nil, err
	}
	return writeBackup(ctx, n.opts, n.config, n.data, out, backup.Options{Take: backup.OfEngine(n.engine)})
}

// backup answers who asks for a backup. It ends with the request.
func (n *Node) backup(w http.ResponseWriter, r *http.Request) {
	res, err := n.Backup(r.Context(), r.URL.Query().Get("out"))
	var body []byte
	if err == nil {
		body, err = json.Marshal(res)
	}
	switch {
	case errors.Is(err, api.ErrInvalid):
		api.WriteProblem(w, http.StatusBadRequest, err.Error())
	case err != nil:
		api.WriteProblem(w, http.StatusServiceUnavailable, err.Error())
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Write(body) //nolint:errcheck // the caller is gone
	}
}

// checkEditionNotes reads the newest of the notes that say what is in force, and what
// it names.
func checkEditionNotes(notes [][]byte, get func(digest string) ([]byte, error)) error {
	if len(notes) == 0 {
		return nil
	}
	body, err := eventlog.ReadEditionNote(notes[len(notes)-1])
	if err != nil {
		return err
	}
	note, err := decodeEditionNote(body)
	if err != nil {
		return err
	}
	b, err := get(note.Digest)
	if err != nil {
		return fmt.Errorf("what is in force: %w", err)
	}
	e, err := decodeEdition(b)
	if err != nil {
		return err
	}
	for i := range e.Files {
		if _, err := get(e.Files[i].Digest); err != nil {
			return fmt.Errorf("what is in force: %s: %w", e.Files[i].Name, err)
		}
	}
	return nil
}
