// Package signature signs plugins and says whose signature a plugin bears.
//
// A signature is made over the bytes of a plugin as they are loaded, and kept
// beside them in a file of its own, FILE.sig. What ed25519 signs is, for a module,
//
//	"rhost-plugin-v1" ‖ sha256(all bytes)
//
// and for a script, whose manifest is a YAML file beside it that may be laid out
// anew without a change of what it says,
//
//	"rhost-plugin-v1" ‖ {"manifest":…,"source":"sha256:…"}
//
// with the manifest as the one line of JSON, keys sorted, that it becomes when the
// script is loaded, and left out when there
// is none. Message gives these bytes. No two plugins have the same: a hash has 32
// bytes and the JSON has more, and what follows the manifest in it has a fixed
// length.
//
// Key files are PEM, PKCS #8 for the private half and PKIX for the public one, as
// `openssl genpkey -algorithm ed25519` writes them. A key is named by its
// fingerprint, the SHA-256 of the public half in DER.
//
// A Signature is what FILE.sig says, in four lines that Parse takes in this form
// alone:
//
//	rhost-signature-v1
//	key sha256:64 hex digits
//	plugin sha256:64 hex digits
//	signature base64
//
// The line plugin is the digest of what was signed. It proves nothing; it lets an
// error say that a signature is of other bytes, rather than that it is wrong.
//
// Policy says which keys are trusted and whether a plugin may come without a
// signature. Its Check reads nothing of a plugin but its bytes, so it can stand
// before everything that parses them.
//
// Nothing here does I/O, and everything is safe for concurrent use.
package signature
