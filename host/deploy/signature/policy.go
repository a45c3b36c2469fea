package signature

import "maps"

// The codes of errors.
const (
	CodeMissing   = "signature-missing"   // a signature is required and there is none
	CodeBytes     = "signature-bytes"     // it is of other bytes
	CodeKey       = "signature-key"       // the key is not trusted
	CodeFile      = "signature-file"      // what should be a signature is none
	CodeKeyFile   = "signature-key-file"  // what should be a key is none
	CodeDropped   = "signature-dropped"   // signed before, unsigned now
	CodeRekeyed   = "signature-rekeyed"   // signed by another key before
	CodeDowngrade = "signature-downgrade" // an older version than the one before
)

// Error says what is wrong with a signature and what to do. Its text ends with its
// code, which `rhost help` explains.
type Error struct {
	Code     string
	Msg, Fix string
}

func (e *Error) Error() string { return e.Msg + "; " + e.Fix + " [" + e.Code + "]" }

// Codes explains the codes of errors.
func Codes() map[string]string {
	return map[string]string{
		CodeMissing:   "signatures.require of rhost.yaml asks for a signature, and the plugin has none. `rhost plugin sign FILE --key KEY` makes FILE.sig, which lies beside the plugin. A plugin whose .sig comes after it is loaded when it comes.",
		CodeBytes:     "The .sig beside a plugin was made for other bytes: the plugin was changed after it was signed, damaged, or tampered with, or the .sig belongs to another file or version. Compare `rhost plugin inspect FILE` with what its author published, and fetch or sign it anew.",
		CodeKey:       "The plugin is signed by a key that is not among signatures.keys of rhost.yaml, or not the one given. List the public key there if its owner is to be trusted; otherwise do not load the plugin.",
		CodeFile:      "A .sig file is damaged or of another format. It has four lines: rhost-signature-v1, key, plugin, signature. docs/plugins.md shows one.",
		CodeKeyFile:   "A key file is PEM: PKCS #8 (PRIVATE KEY) to sign, PKIX (PUBLIC KEY) to verify, both ed25519. `rhost plugin keygen` and `openssl genpkey -algorithm ed25519` make such keys.",
		CodeDropped:   "The version before was signed and this one is not. If that is meant, an operator says so: `rhost plugin activate NAME DIGEST`, or `rhost plugin load` and `rhost apply` with --allow.",
		CodeRekeyed:   "The version before was signed by another key. If its author has a new key, an operator says so: `rhost plugin activate NAME DIGEST`, or `rhost plugin load` and `rhost apply` with --allow.",
		CodeDowngrade: "The manifest's version is older than that of the version before, which is how a known hole comes back. If that is meant, an operator says so: `rhost plugin activate NAME DIGEST`, or `rhost plugin load` and `rhost apply` with --allow. `rhost plugin rollback` needs no such word.",
	}
}

// Policy says what signatures plugins need. The zero Policy, of a host whose
// operator names no keys, looks at none.
type Policy struct {
	keys    map[string]PublicKey // by fingerprint
	require bool
}

// NewPolicy trusts keys. With require, nothing is loaded that none of them signed;
// without, unsigned plugins are loaded too, but a signature has to be good.
func NewPolicy(keys []PublicKey, require bool) Policy {
	p := Policy{keys: make(map[string]PublicKey, len(keys)), require: require}
	for _, k := range keys {
		p.keys[k.fingerprint] = k
	}
	return p
}

// Active reports whether signatures are looked at.
func (p Policy) Active() bool { return len(p.keys) > 0 || p.require }

// Trusts reports whether a key is trusted, by its fingerprint.
func (p Policy) Trusts(fingerprint string) bool {
	_, ok := p.keys[fingerprint]
	return ok
}

// Keys are the trusted keys by fingerprint.
func (p Policy) Keys() map[string]PublicKey { return maps.Clone(p.keys) }

// Check says who signed a plugin: the fingerprint of a trusted key, or "" for
// nobody where that is allowed. sig is what its .sig file holds, nil when there is
// none. The error is an *Error.
func (p Policy) Check(plugin []byte, c Comment, sig []byte) (signer string, err error) {
	if !p.Active() {
		return "", nil
	}
	if sig == nil {
		if p.require {
			return "", &Error{Code: CodeMissing, Msg: "it is not signed, and signatures.require of rhost.yaml asks for that", Fix: "sign it with `rhost plugin sign FILE --key KEY`; if its " + Suffix + " is on its way, the plugin loads when it comes"}
		}
		return "", nil
	}
	s, err := Parse(sig)
	if err != nil {
		return "", err
	}
	key, ok := p.keys[s.Key]
	if !ok {
		return "", &Error{Code: CodeKey, Msg: "it is signed by the key " + s.Key + ", which is not trusted", Fix: "add its public half to signatures.keys of rhost.yaml, or do not load it"}
	}
	return s.Key, s.Verify(plugin, c, key)
}

// Past is what is remembered of a plugin's version.
type Past struct {
	Signer  string // fingerprint, or "" when it was not signed
	Version string // of its manifest, or "" when it names none
}

// Change checks what may follow a version without an operator's word: one signed by
// the same key, or the first that is signed, and not an older one. The error is an
// *Error.
func (p Policy) Change(old, next Past) error {
	if !p.Active() {
		return nil
	}
	const fix = "if that is meant, allow it: `rhost plugin activate NAME DIGEST`, or load it with --allow"
	switch {
	case old.Signer != "" && next.Signer == "":
		return &Error{Code: CodeDropped, Msg: "it is not signed, and the version before was, by " + short(old.Signer), Fix: fix}
	case old.Signer != "" && next.Signer != old.Signer:
		return &Error{Code: CodeRekeyed, Msg: "it is signed by " + short(next.Signer) + ", and the version before by " + short(old.Signer), Fix: fix}
	case Older(next.Version, old.Version):
		return &Error{Code: CodeDowngrade, Msg: "its version " + next.Version + " is older than " + old.Version + ", the one before", Fix: fix}
	}
	return nil
}
