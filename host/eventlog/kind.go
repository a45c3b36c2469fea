package eventlog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// clusterPath is where a server of a cluster keeps what the servers agree on.
const clusterPath = "jetstream/$SYS/_js_/_meta_"

// The errors of a folder that is not what the engine is to be. A server of a cluster
// would drop the streams of one that was alone, of which the others know nothing.
var (
	ErrMember = errors.New("the folder holds a part of a cluster's log; only `rhost run`, with the cluster of rhost.yaml, can use it, and a node that runs answers what is asked of the log")
	ErrAlone  = errors.New("the folder holds the log of one machine, which a cluster does not take over; leave out cluster in rhost.yaml, or back the log up, empty the folder, and restore the backup into the cluster")
)

// Member reports whether a folder is that of a server of a cluster.
func Member(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, filepath.FromSlash(clusterPath)))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // which others tell of
		return false, nil
	}
	return err == nil, err
}

// checkKind refuses a folder of the other kind.
func checkKind(dir string, cluster bool) error {
	member, err := Member(dir)
	if err != nil || member && cluster {
		return err
	}
	if member {
		return ErrMember
	}
	if !cluster {
		return nil
	}
	names, err := streamsIn(dir)
	if err == nil && len(names) > 0 {
		err = ErrAlone
	}
	return err
}
