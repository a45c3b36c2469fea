package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
)

// Digest names content: "sha256:" and the hexadecimal SHA-256 of src. Two
// versions of a plugin are the same when their digests are.
func Digest(src []byte) string {
	sum := sha256.Sum256(src)
	return "sha256:" + hex.EncodeToString(sum[:])
}
