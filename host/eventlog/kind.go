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

// nodeFile holds the name of the node whose folder it is, beside its streams, and in a
// second line the address that it listened at last.
const nodeFile = "node"

// NodeNote says whose a folder is.
type NodeNote struct {
	Name   string // of the node; empty when nobody noted it
	Listen string // address that it had at its last start; may be empty
}

// ReadNodeNote reads whose folder dir is. That of one machine has no note.
func ReadNodeNote(dir string) (NodeNote, error) {
	b, err := os.ReadFile(filepath.Join(dir, nodeFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return NodeNote{}, nil
	}
	name, rest, _ := strings.Cut(string(b), "\n")
	listen, _, _ := strings.Cut(rest, "\n")
	return NodeNote{strings.TrimSpace(name), strings.TrimSpace(listen)}, err
}

// keepName refuses the folder of a node of another name, and notes name and address of
// the node. What the server stores is known to the others by its name: under another
// one it finds no leader, and is counted as one server more.
func keepName(dir string, n NodeNote) error {
	was, err := ReadNodeNote(dir)
	if err != nil || was == n {
		return err
	}
	if was.Name != n.Name && was.Name != "" {
		return &AccessError{AccessNode, "", fmt.Errorf("the folder is that of node %s, and this one is called %s", was.Name, n.Name), "correct node, or give this node a data folder of its own"}
	}
	return os.WriteFile(filepath.Join(dir, nodeFile), []byte(n.Name+"\n"+n.Listen+"\n"), 0o600)
}
