package eventlog

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// SignatureOf is what a node sends to be let in.
func SignatureOf(t *testing.T, c *Cluster) string {
	t.Helper()
	pair, err := c.check(time.Now())
	require.NoError(t, err)
	_, signature, err := c.identity(pair)
	require.NoError(t, err)
	return signature
}

// GoodSignature reports whether a node of cluster that lists the key lets in who shows
// the signature and the certificate.
func GoodSignature(cluster, public, signature, certFile string) bool {
	b, err := os.ReadFile(certFile)
	if err != nil {
		return false
	}
	block, _ := pem.Decode(b)
	cert, err := x509.ParseCertificate(block.Bytes)
	return err == nil && nodeKeys{cluster, []string{public}}.good(public, signature, cert.RawSubjectPublicKeyInfo)
}

// ServerID is how servers call the one of a name.
func ServerID(name string) string { return serverID(name) }
