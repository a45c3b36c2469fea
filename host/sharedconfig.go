package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/rhost/rhost/yamldoc"
)

// Some keys of rhost.yaml are about what is done with events, wherever that is; in a
// cluster they are those of the edition in force. The others are about one machine:
// its folders, addresses, memory, and whose plugins it trusts.

// sharedKeys are the keys of rhost.yaml that all nodes of a cluster have in common.
func sharedKeys() []string {
	return []string{"tenant", "sources", "plugins", "notify", "egress", "lanes", "partition_by", "retention", "quotas", "topics", "wasm"}
}

// readSettings reads rhost.yaml of an app folder; nothing when there is none.
func readSettings(app string) ([]byte, error) {
	src, err := os.ReadFile(filepath.Join(app, settingsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return src, err
}

// parseSettings gives the one document of an rhost.yaml, which errors call name.
func parseSettings(name string, src []byte) (*yamldoc.Node, error) {
	docs, err := yamldoc.Parse(name, src)
	switch {
	case err != nil:
		return nil, err
	case len(docs) > 1:
		return nil, yamldoc.Errorf(docs[1].Pos, "", yamldoc.CodeRefused, "put everything into the first", "rhost.yaml holds one document")
	case len(docs) == 0:
		return &yamldoc.Node{Kind: yamldoc.Map, Pos: yamldoc.Pos{File: name}}, nil
	}
	return docs[0], nil
}

// withShared gives settings with the shared keys of others.
func withShared(own, others *yamldoc.Node) *yamldoc.Node {
	if own.Kind != yamldoc.Map || others.Kind != yamldoc.Map {
		return own // which decoding tells
	}
	shared := sharedKeys()
	both := &yamldoc.Node{Kind: yamldoc.Map, Pos: own.Pos}
	for _, k := range own.Keys {
		if !slices.Contains(shared, k.Key) {
			both.Keys = append(both.Keys, k)
		}
	}
	for _, k := range others.Keys {
		if slices.Contains(shared, k.Key) {
			both.Keys = append(both.Keys, k)
		}
	}
	return both
}

// ownKeys are the keys of rhost.yaml that are each node's own.
func ownKeys() []string {
	return []string{"data_dir", "listen", "folders", "signatures", "limits", "cluster"}
}

// differentSettings names those of keys that two texts of rhost.yaml do not have in
// common.
func differentSettings(keys []string, a, b []byte) ([]string, error) {
	x, err := parseSettings(settingsFile, a)
	if err != nil {
		return nil, err
	}
	y, err := parseSettings(settingsFile+" in force", b)
	if err != nil {
		return nil, err
	}
	var different []string
	for _, key := range keys {
		if !reflect.DeepEqual(x.Get(key).Any(), y.Get(key).Any()) {
			different = append(different, key)
		}
	}
	return different, nil
}
