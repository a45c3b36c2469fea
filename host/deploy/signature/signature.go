package signature

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/rhost/rhost/abi/manifest"
)

// Suffix ends the name of the file that holds a plugin's signature.
const Suffix = ".sig"

// MaxFile bounds the bytes of a signature file.
const MaxFile = 1 << 10

const (
	domain   = "rhost-plugin-v1" // what ed25519 signs begins with it
	header   = "rhost-signature-v1"
	digestAt = "sha256:"
)

// Signature is what a .sig file says.
type Signature struct {
	Key    string // fingerprint of the key that signed
	Plugin string // digest of what was signed: a hint, not a proof
	bytes  [ed25519.SignatureSize]byte
}

// Comment is what begins a comment in the language of a script: "--" or "//"; ""
// says that the plugin is a module.
type Comment string

// Message gives what is signed for a plugin, as it is loaded: a module, or a script
// that bears its manifest in its last line.
func Message(plugin []byte, c Comment) []byte {
	if c == "" {
		sum := sha256.Sum256(plugin)
		return append([]byte(domain), sum[:]...)
	}
	source, about := split(plugin, c)
	sum := sha256.Sum256(source)
	out := append([]byte(domain), '{')
	if about != nil {
		out = append(append(append(out, `"manifest":`...), about...), ',')
	}
	out = append(out, `"source":"`+digestAt...)
	out = append(out, hex.EncodeToString(sum[:])...)
	return append(out, `"}`...)
}

// split takes a script and its manifest apart, if they were put together by
// manifest.EmbedScript; any other text is source, the whole of it.
func split(script []byte, c Comment) (source, about []byte) {
	about = manifest.FromScript(script, string(c))
	if about == nil {
		return script, nil
	}
	joined, err := manifest.EmbedScript(nil, string(c), about)
	if err != nil || !strings.HasSuffix(string(script), string(joined)) {
		return script, nil
	}
	return script[:len(script)-len(joined)], about
}

// Sign signs a plugin.
func Sign(plugin []byte, c Comment, key PrivateKey) Signature {
	s := Signature{Key: key.public.fingerprint, Plugin: digest(plugin)}
	copy(s.bytes[:], ed25519.Sign(key.key, Message(plugin, c)))
	return s
}

func digest(plugin []byte) string {
	sum := sha256.Sum256(plugin)
	return digestAt + hex.EncodeToString(sum[:])
}

// Verify checks that a key made the signature, and of these bytes. The error is an
// *Error.
func (s Signature) Verify(plugin []byte, c Comment, key PublicKey) error {
	switch {
	case s.Key != key.fingerprint:
		return &Error{Code: CodeKey, Msg: "it is signed by " + short(s.Key) + ", and not by " + short(key.fingerprint), Fix: "give the key that signed it"}
	case s.Of(plugin) != nil:
		return s.Of(plugin)
	case !ed25519.Verify(key.key, Message(plugin, c), s.bytes[:]):
		return &Error{Code: CodeBytes, Msg: "the signature is wrong: the key " + short(key.fingerprint) + " did not make it of these bytes", Fix: "fetch the plugin and its signature anew from where they come"}
	}
	return nil
}

// Of checks that the signature says to be of these bytes, which proves nothing and
// needs no key. The error is an *Error.
func (s Signature) Of(plugin []byte) error {
	if s.Plugin == digest(plugin) {
		return nil
	}
	return &Error{
		Code: CodeBytes, Msg: "the signature is of other bytes (" + short(s.Plugin) + ") than these (" + short(digest(plugin)) + ")",
		Fix: "fetch both anew, or sign these; if a new " + Suffix + " is on its way, the plugin loads when it comes",
	}
}

// Format writes a signature as Parse reads it.
func (s Signature) Format() []byte {
	return []byte(header + "\nkey " + s.Key + "\nplugin " + s.Plugin + "\nsignature " + base64.StdEncoding.EncodeToString(s.bytes[:]) + "\n")
}

// Parse reads a .sig file. It takes what Format writes, and carriage returns at the
// ends of lines, nothing else. The error is an *Error.
func Parse(text []byte) (Signature, error) {
	if len(text) > MaxFile {
		return Signature{}, badFile("it is too large")
	}
	first, rest, _ := strings.Cut(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	if first != header {
		if strings.HasPrefix(first, "rhost-signature-") {
			return Signature{}, badFile("its first line is of another version than " + header)
		}
		return Signature{}, badFile("its first line is not " + header)
	}
	var s Signature
	var encoded string
	for _, line := range []struct {
		name string
		dst  *string
	}{{"key", &s.Key}, {"plugin", &s.Plugin}, {"signature", &encoded}} {
		now, after, ended := strings.Cut(rest, "\n")
		value, ok := strings.CutPrefix(now, line.name+" ")
		if !ok || !ended {
			return Signature{}, badFile("a line `" + line.name + " …` is missing in its place")
		}
		*line.dst, rest = value, after
	}
	if rest != "" {
		return Signature{}, badFile("it has more than four lines")
	}
	for _, d := range []string{s.Key, s.Plugin} {
		if !isDigest(d) {
			return Signature{}, badFile("a digest is not sha256: and 64 hex digits")
		}
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(raw) != len(s.bytes) || strings.ContainsAny(encoded, "\r\n") {
		return Signature{}, badFile("its signature is not 64 bytes in base64")
	}
	copy(s.bytes[:], raw)
	return s, nil
}

func badFile(why string) error {
	return &Error{Code: CodeFile, Msg: "no signature file: " + why, Fix: "`rhost plugin sign` makes one"}
}

func isDigest(text string) bool {
	hexa, ok := strings.CutPrefix(text, digestAt)
	raw, err := hex.DecodeString(hexa)
	return ok && err == nil && len(raw) == sha256.Size && hexa == hex.EncodeToString(raw)
}

// short is a fingerprint or digest as people read it.
func short(d string) string {
	return d[:min(len(d), len(digestAt)+12)] + "…"
}

// Is lets errors.Is find an *Error by its code.
func (e *Error) Is(target error) bool {
	var other *Error
	return errors.As(target, &other) && other.Code == e.Code
}
