package eventlog

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// routeMark begins what a node signs.
const routeMark = "rhost route 1"

// NewNodeKey draws a key of a node: the seed, which is secret, and its public part.
func NewNodeKey() (seed []byte, public string, err error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, "", err
	}
	if public, err = pair.PublicKey(); err == nil {
		seed, err = pair.Seed()
	}
	return seed, public, err
}

// routeText is what a node signs to be let in: the cluster that it is of, its key,
// and the key of the certificate that it shows. So the signature is of no use to
// whoever has not that certificate's key.
func routeText(cluster, public string, certKey []byte) []byte {
	sum := sha256.Sum256(certKey)
	return slices.Concat([]byte(routeMark+"\x00"+cluster+"\x00"+public+"\x00"), sum[:])
}

// identity is what the server says to others to be let in.
func (c *Cluster) identity(pair *tls.Certificate) (user, password string, err error) {
	if c.NKey == "" {
		return routeUser, c.Secret, nil
	}
	seed, err := readSeed(c.NKey)
	if err != nil {
		return "", "", err
	}
	defer seed.Wipe()
	public, err := seed.PublicKey()
	if err != nil {
		return "", "", err
	}
	if !slices.Contains(c.NKeys, public) {
		return "", "", &AccessError{AccessNKeys, "", errors.New("the public part of " + c.NKey + ", " + public + ", is not among them"), "list the keys of all nodes there, the same on each"}
	}
	signature, err := seed.Sign(routeText(c.Name, public, pair.Leaf.RawSubjectPublicKeyInfo))
	return public, base64.RawURLEncoding.EncodeToString(signature), err
}

// nodeKeys lets in the nodes whose keys are listed. It implements
// server.Authentication.
type nodeKeys struct {
	cluster string
	public  []string
}

// Check implements server.Authentication.
func (k nodeKeys) Check(c server.ClientAuthentication) bool {
	o, state := c.GetOpts(), c.GetTLSConnectionState()
	if state == nil || len(state.PeerCertificates) == 0 {
		return false
	}
	return k.good(o.Username, o.Password, state.PeerCertificates[0].RawSubjectPublicKeyInfo)
}

func (k nodeKeys) good(public, password string, certKey []byte) bool {
	if !slices.Contains(k.public, public) {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(password)
	if err != nil {
		return false
	}
	pair, err := nkeys.FromPublicKey(public)
	return err == nil && pair.Verify(routeText(k.cluster, public, certKey), signature) == nil
}

// check looks at the files of a node, and what they say of themselves.
func (c *Cluster) check(now time.Time) (pair *tls.Certificate, err error) {
	if !c.TLS.set() {
		return nil, nil
	}
	pool, err := c.TLS.pool()
	if err != nil {
		return nil, err
	}
	if pair, err = c.TLS.pair(now); err != nil {
		return nil, err
	}
	return pair, c.TLS.signed(pair, pool, hostOf(c.Listen))
}
