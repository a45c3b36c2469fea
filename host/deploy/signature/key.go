package signature

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// The types of the PEM blocks of key files.
const (
	privateBlock = "PRIVATE KEY" // PKCS #8
	publicBlock  = "PUBLIC KEY"  // PKIX
)

// MaxKeyFile bounds the bytes of a key file.
const MaxKeyFile = 4 << 10

// PublicKey is the half of a key that signatures are checked with.
type PublicKey struct {
	key         ed25519.PublicKey
	fingerprint string
}

// Fingerprint names the key: "sha256:" and the digest of its DER in hex.
func (k PublicKey) Fingerprint() string { return k.fingerprint }

// PEM is the key as ParsePublic reads it.
func (k PublicKey) PEM() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(k.key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: der}), nil
}

// PrivateKey is the half that signs.
type PrivateKey struct {
	key    ed25519.PrivateKey
	public PublicKey
}

// Public is the other half.
func (k PrivateKey) Public() PublicKey { return k.public }

// PEM is the key as ParsePrivate reads it. It is a secret.
func (k PrivateKey) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der}), nil
}

// NewKey makes a key.
func NewKey() (PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("make a key: %w", err)
	}
	return private(key)
}

func private(key ed25519.PrivateKey) (PrivateKey, error) {
	half, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return PrivateKey{}, errors.New("the key has no public half")
	}
	pub, err := public(half)
	return PrivateKey{key: key, public: pub}, err
}

func public(key ed25519.PublicKey) (PublicKey, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return PublicKey{}, err
	}
	sum := sha256.Sum256(der)
	return PublicKey{key: key, fingerprint: "sha256:" + hex.EncodeToString(sum[:])}, nil
}

// ParsePublic reads the text of a file that holds a public key.
func ParsePublic(text []byte) (PublicKey, error) {
	der, err := block(text, publicBlock)
	if err != nil {
		return PublicKey{}, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return PublicKey{}, badKey("it cannot be read: %v", err)
	}
	own, ok := key.(ed25519.PublicKey)
	if !ok {
		return PublicKey{}, badKey("it is not an ed25519 key")
	}
	return public(own)
}

// ParsePrivate reads the text of a file that holds a private key.
func ParsePrivate(text []byte) (PrivateKey, error) {
	der, err := block(text, privateBlock)
	if err != nil {
		return PrivateKey{}, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return PrivateKey{}, badKey("it cannot be read") // the reason might quote it
	}
	own, ok := key.(ed25519.PrivateKey)
	if !ok {
		return PrivateKey{}, badKey("it is not an ed25519 key")
	}
	return private(own)
}

// block takes the one PEM block of a key file.
func block(text []byte, want string) ([]byte, error) {
	if len(text) > MaxKeyFile {
		return nil, badKey("it has %d bytes; a key file has at most %d", len(text), MaxKeyFile)
	}
	b, rest := pem.Decode(text)
	switch {
	case b == nil:
		return nil, badKey("it holds no PEM block")
	case b.Type != want && (b.Type == privateBlock || b.Type == publicBlock):
		return nil, badKey("it is the %s half of a key, and the %s half is wanted", half(b.Type), half(want))
	case b.Type != want:
		return nil, badKey("its block is %q; %q is wanted", b.Type, want)
	case strings.TrimSpace(string(rest)) != "":
		return nil, badKey("it holds more than one key")
	}
	return b.Bytes, nil
}

func half(blockType string) string {
	if blockType == privateBlock {
		return "private"
	}
	return "public"
}

func badKey(format string, args ...any) error {
	return &Error{Code: CodeKeyFile, Msg: "no key file: " + fmt.Sprintf(format, args...), Fix: "`rhost plugin keygen` makes a pair"}
}
