package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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

// nodeFile holds the name of the node whose folder it is, beside its streams.
const nodeFile = "node"

// keepName refuses the folder of a node of another name, and notes the name in one that
// has none yet. What the server stores is known to the others by its name: under another
// one it finds no leader, and is counted as one server more.
func keepName(dir, node string) error {
	file := filepath.Join(dir, nodeFile)
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return os.WriteFile(file, []byte(node+"\n"), 0o600)
	}
	if err != nil {
		return err
	}
	if name := strings.TrimSpace(string(b)); name != node && name != "" {
		return &AccessError{AccessNode, "", fmt.Errorf("the folder is that of node %s, and this one is called %s", name, node), "correct node, or give this node a data folder of its own"}
	}
	return nil
}
