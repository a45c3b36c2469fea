package eventlog

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// What an AccessError is about.
const (
	AccessServers     = "servers"
	AccessNode        = "node"
	AccessPeers       = "peers"
	AccessCredentials = "credentials"
	AccessNKey        = "nkey_file"
	AccessNKeys       = "nkeys"
	AccessToken       = "token_file"
	AccessSecret      = "secret_file"
	AccessCA          = "tls.ca"
	AccessCert        = "tls.cert"
	AccessKey         = "tls.key"
)

// AccessError says what of a configuration keeps this process from the servers that it
// is to store with. Nothing but a change to what it names helps.
type AccessError struct {
	Key  string // one of the constants above
	File string // that is named there; "" when there is none
	Err  error
	Fix  string
}

func (e *AccessError) Error() string {
	text := e.Err.Error() + "; " + e.Fix
	if e.File != "" {
		text = e.File + ": " + text
	}
	return text
}

// Unwrap gives the cause.
func (e *AccessError) Unwrap() error { return e.Err }

const fixFile = "put the file in its place, and let the user that rhost runs as read it"

func readAccess(key, file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		if inner, ok := errors.AsType[*os.PathError](err); ok {
			err = inner.Err // the file is named beside it
		}
		return nil, &AccessError{key, file, err, fixFile}
	}
	return b, nil
}

// pool reads the CAs; nil stands for those of the system.
func (f TLSFiles) pool() (*x509.CertPool, error) {
	if f.CA == "" {
		return nil, nil
	}
	b, err := readAccess(AccessCA, f.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, &AccessError{AccessCA, f.CA, errors.New("there is no certificate in it"), "name a file with the CA's certificate in PEM format"}
	}
	return pool, nil
}

// pair reads the certificate and its key, and sees that it is valid now; nil when
// none is named.
func (f TLSFiles) pair(now time.Time) (*tls.Certificate, error) {
	if f.Cert == "" {
		return nil, nil
	}
	cert, err := readAccess(AccessCert, f.Cert)
	if err != nil {
		return nil, err
	}
	key, err := readAccess(AccessKey, f.Key)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(cert); block == nil || block.Type != "CERTIFICATE" {
		return nil, &AccessError{AccessCert, f.Cert, errors.New("there is no certificate in it"), "name a file with the certificate in PEM format"}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, &AccessError{AccessKey, f.Key, fmt.Errorf("it is not the key of %s: %w", f.Cert, err), "name the key that the certificate was made with"}
	}
	if pair.Leaf == nil {
		return nil, &AccessError{AccessCert, f.Cert, errors.New("the certificate cannot be read"), "have it made anew"}
	}
	const date = "2006-01-02 15:04:05 MST"
	switch {
	case now.After(pair.Leaf.NotAfter):
		return nil, &AccessError{AccessCert, f.Cert, errors.New("the certificate expired at " + pair.Leaf.NotAfter.Format(date)), "have it renewed, then start again"}
	case now.Before(pair.Leaf.NotBefore):
		return nil, &AccessError{AccessCert, f.Cert, errors.New("the certificate is not valid before " + pair.Leaf.NotBefore.Format(date)), "set the clock, or have it made anew"}
	}
	return &pair, nil
}

// signed sees that the CA has signed the certificate, for both sides of a connection
// and for the host at which others reach this one.
func (f TLSFiles) signed(pair *tls.Certificate, pool *x509.CertPool, host string) error {
	inter := x509.NewCertPool()
	for _, der := range pair.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			inter.AddCert(c)
		}
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		_, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: pool, Intermediates: inter, KeyUsages: []x509.ExtKeyUsage{usage}})
		if err == nil {
			continue
		}
		fix := "name the CA that signed it in tls.ca (" + f.CA + "), or have that CA sign it"
		if invalid := (x509.CertificateInvalidError{}); errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage {
			fix = "have it made for client and for server authentication: each node is both"
		}
		return &AccessError{AccessCert, f.Cert, err, fix}
	}
	if err := pair.Leaf.VerifyHostname(host); err != nil {
		return &AccessError{AccessCert, f.Cert, err, "have it made for " + host + ", by which the other nodes reach this one"}
	}
	return nil
}

// check looks at the files, and what they say of themselves.
func (s *Servers) check(now time.Time) error {
	if _, err := s.TLS.pool(); err != nil {
		return err
	}
	if _, err := s.TLS.pair(now); err != nil {
		return err
	}
	if s.NKey != "" {
		if _, err := readSeed(s.NKey); err != nil {
			return err
		}
	}
	if s.Creds == "" {
		return nil
	}
	b, err := readAccess(AccessCredentials, s.Creds)
	if err != nil {
		return err
	}
	const fix = "name a file as `nsc generate creds` writes it: a JWT and the seed of its key"
	token, err := nkeys.ParseDecoratedJWT(b)
	if err == nil {
		_, err = nkeys.ParseDecoratedUserNKey(b)
	}
	if err != nil {
		return &AccessError{AccessCredentials, s.Creds, err, fix}
	}
	ends, err := endOf(token)
	if err != nil {
		return &AccessError{AccessCredentials, s.Creds, err, fix}
	}
	if !ends.IsZero() && now.After(ends) {
		return &AccessError{AccessCredentials, s.Creds, errors.New("they expired at " + ends.UTC().Format(time.DateTime) + " UTC"), "have new ones made"}
	}
	return nil
}

// endOf is when a JWT expires; the zero time if it never does.
func endOf(token string) (time.Time, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, errors.New("the JWT does not have three parts")
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, fmt.Errorf("the JWT cannot be decoded: %w", err)
	}
	var claims struct {
		Exp int64 `json:"exp"`
	}
	if err := json.Unmarshal(body, &claims); err != nil {
		return time.Time{}, fmt.Errorf("the JWT cannot be decoded: %w", err)
	}
	if claims.Exp == 0 {
		return time.Time{}, nil
	}
	return time.Unix(claims.Exp, 0), nil
}

// readSeed reads the key pair of a seed.
func readSeed(file string) (nkeys.KeyPair, error) {
	b, err := readAccess(AccessNKey, file)
	if err != nil {
		return nil, err
	}
	defer clear(b)
	pair, err := nkeys.ParseDecoratedNKey(b)
	if err != nil {
		return nil, &AccessError{AccessNKey, file, errors.New("there is no seed of a key in it"), "name a file with a line that begins with SU; `rhost cluster key FILE` makes one"}
	}
	return pair, nil
}

// refused tells what of the configuration the servers do not like; an error that is
// not about that is returned as it is.
func (s *Servers) refused(err error) error {
	access := func(key, file, fix string) error { return &AccessError{key, file, err, fix} }
	unknown, host, invalid := x509.UnknownAuthorityError{}, x509.HostnameError{}, x509.CertificateInvalidError{}
	record, dial := tls.RecordHeaderError{}, (*net.OpError)(nil)
	ca := s.TLS.CA
	switch text := err.Error(); {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrAccountAuthExpired):
		return s.unknown(err)
	case errors.As(err, &unknown):
		if ca == "" {
			return access(AccessCA, "", "name there the CA that signed the certificates of the servers; the system's CAs have not")
		}
		return access(AccessCA, ca, "name the CA that signed the certificates of the servers")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return access(AccessServers, "", "have the certificate of the servers, or of their CA, renewed, and look at the clock")
	case errors.As(err, &host):
		return access(AccessServers, "", "name the servers as their certificate does")
	case errors.Is(err, nats.ErrSecureConnRequired):
		return access(AccessServers, "", "the servers want TLS: write tls:// before their names, and name their CA in tls.ca")
	case errors.Is(err, nats.ErrSecureConnWanted), errors.As(err, &record):
		return access(AccessServers, "", "the servers do not speak TLS: write nats:// and leave out tls, or switch it on there")
	case strings.Contains(text, "tls: certificate required"), s.TLS.Cert == "" && turnedAway(text):
		return access(AccessCert, "", "the servers want to see a certificate: name one that a CA which they know has signed, and its key in tls.key")
	case turnedAway(text):
		return access(AccessCert, s.TLS.Cert, "the servers do not take this certificate: have a CA that they know sign it")
	case errors.Is(err, nats.ErrNoServers), errors.As(err, &dial):
		return access(AccessServers, "", "start them, or correct the addresses")
	}
	return err
}

// turnedAway reports whether a server did not like the certificate of its client. With
// TLS 1.3 the client learns it after the handshake, and only if it reads before it
// writes.
func turnedAway(text string) bool {
	return strings.Contains(text, "remote error: tls:") || strings.Contains(text, "closed by remote after TLS handshake")
}

// unknown says whom the servers do not let in.
func (s *Servers) unknown(err error) error {
	switch {
	case s.Creds != "":
		return &AccessError{AccessCredentials, s.Creds, err, "the servers do not let in who has these: have credentials made by an account that they know, which are not revoked"}
	case s.NKey != "":
		public := ""
		if pair, seedErr := readSeed(s.NKey); seedErr == nil {
			if key, keyErr := pair.PublicKey(); keyErr == nil {
				public = " " + key
			}
			pair.Wipe()
		}
		return &AccessError{AccessNKey, s.NKey, err, "the servers do not know this key: add its public part" + public + " to their users, or name another"}
	case s.Token != "":
		return &AccessError{AccessToken, "", err, "the servers have another token: write theirs into the file"}
	}
	return &AccessError{AccessServers, "", err, "the servers want to know who calls: name credentials, nkey_file or token_file"}
}
