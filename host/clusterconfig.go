package host

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhost/rhost/host/cluster"
	"github.com/rhost/rhost/host/eventlog"
	"github.com/rhost/rhost/yamldoc"
)

// ClusterConfig makes the host a node of a cluster: either with a server of its own,
// which with those of the other nodes keeps the log (listen, peers, secret_file), or
// with servers elsewhere (servers).
type ClusterConfig struct {
	Pos  yamldoc.Pos `yaml:",pos"`
	Name string      `yaml:"name"` // the same on all nodes
	Node string      `yaml:"node"` // this node's own, for good

	Listen     string   `yaml:"listen"`      // where the other nodes reach this one's server
	Peers      []string `yaml:"peers"`       // where the servers of all nodes are, this one's among them
	SecretFile string   `yaml:"secret_file"` // what the servers prove to each other that they belong together

	Servers     []string `yaml:"servers"` // URLs
	Credentials string   `yaml:"credentials"`
	NKeyFile    string   `yaml:"nkey_file"` // also in place of secret_file: the key of this node
	NKeys       []string `yaml:"nkeys"`     // and the public keys of all nodes
	TokenFile   string   `yaml:"token_file"`

	TLS      ClusterTLS `yaml:"tls"`
	Replicas int        `yaml:"replicas"` // of what is stored; 3 with three peers or more
}

// ClusterTLS names files in PEM format, relative to the app.
type ClusterTLS struct {
	CA   string `yaml:"ca"`
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// minPeers is how many servers can do without one of them.
const minPeers = 3

// validate reports everything wrong that can be seen without a file.
func (c *ClusterConfig) validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: cluster.%s: %w", c.Pos, key, fmt.Errorf(format, args...)))
	}
	if err := cluster.CheckNode(c.Node); err != nil {
		bad("node", "%w; every node has a name of its own, such as --set cluster.node=b", err)
	}
	if r := c.Replicas; r < 0 || r > 5 || r != 0 && r%2 == 0 {
		bad("replicas", "%d is not 1, 3 or 5", r)
	}
	if len(c.Servers) > 0 {
		if c.Listen != "" || len(c.Peers) > 0 || c.SecretFile != "" || len(c.NKeys) > 0 {
			bad("servers", "they are elsewhere; leave out listen, peers, secret_file and nkeys")
		}
		return errors.Join(errs...)
	}
	if c.Name == "" {
		bad("name", "it must not be empty")
	}
	if c.Listen == "" {
		bad("listen", "write HOST:PORT, at which the other nodes reach this one; or name servers")
	}
	if len(c.Peers) < minPeers {
		bad("peers", "%d are named; name the servers of all nodes, %d of them at least", len(c.Peers), minPeers)
	} else if c.Listen != "" && !slices.Contains(c.Peers, c.Listen) {
		// The others would let it in, and count it for the majority from then on.
		bad("listen", "%s is none of peers (%s); write it as it stands there, or add it to peers on all nodes", c.Listen, strings.Join(c.Peers, ", "))
	}
	switch {
	case c.NKeyFile != "" && c.SecretFile != "":
		bad("nkey_file", "it stands in place of secret_file; leave one of them out")
	case c.NKeyFile == "" && c.SecretFile == "":
		bad("secret_file", "name a file with a secret of 16 bytes or more, the same on all nodes; or nkey_file")
	case (c.NKeyFile == "") != (len(c.NKeys) == 0):
		bad("nkeys", "nkey_file, with this node's key, and nkeys, with the public keys of all nodes, belong together")
	case c.NKeyFile != "" && c.TLS == ClusterTLS{}:
		bad("nkey_file", "it needs tls, which shows whose connection it is that a key has signed")
	}
	if c.Credentials != "" || c.TokenFile != "" {
		bad("servers", "credentials and token_file are for servers elsewhere; name them here, or leave those out")
	}
	return errors.Join(errs...)
}

// engine is the configuration of what keeps the log: of a server in this process,
// in the folder dir, or of a connection. Names of files are relative to app.
func (c *ClusterConfig) engine(app, dir string) (eventlog.EngineConfig, error) {
	file := func(name string) string {
		if name == "" {
			return ""
		}
		return within(app, name)
	}
	tls := eventlog.TLSFiles{CA: file(c.TLS.CA), Cert: file(c.TLS.Cert), Key: file(c.TLS.Key)}
	out := eventlog.EngineConfig{Replicas: c.Replicas, Owner: "rhost run"}
	if len(c.Servers) > 0 {
		out.Servers = &eventlog.Servers{URLs: c.Servers, Creds: file(c.Credentials), NKey: file(c.NKeyFile), TLS: tls}
		if c.TokenFile != "" {
			token, err := readSecret(file(c.TokenFile))
			if err != nil {
				return out, fmt.Errorf("%s: cluster.token_file: %w", c.Pos, err)
			}
			out.Servers.Token = token
		}
	} else {
		var secret string
		if c.SecretFile != "" {
			var err error
			if secret, err = readSecret(file(c.SecretFile)); err != nil {
				return out, fmt.Errorf("%s: cluster.secret_file: %w", c.Pos, err)
			}
		}
		out.Dir = dir
		out.Cluster = &eventlog.Cluster{
			Name: c.Name, Node: c.Node, Listen: c.Listen, Peers: c.Peers, TLS: tls,
			Secret: secret, NKey: file(c.NKeyFile), NKeys: c.NKeys,
		}
	}
	if err := out.Validate(); err != nil {
		return out, fmt.Errorf("%s: %w", c.Pos, err)
	}
	return out, nil
}

// readSecret reads a file that holds a secret, without the white space around it.
func readSecret(name string) (string, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	if b = bytes.TrimSpace(b); len(b) == 0 {
		return "", fmt.Errorf("%s is empty", filepath.Base(name))
	}
	return string(b), nil
}
