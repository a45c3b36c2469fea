// Package manifest reads what a plugin says about itself: its name, what it asks
// for, the limits it wants, the settings it takes. SPEC.md, one folder up, lists
// the keys; schema.json beside this file is the same as a JSON Schema.
//
// A manifest is a JSON object. A Wasm module carries it in exactly one custom
// section, which Section finds and Embed writes; the manifest of a script is a
// file beside it, which its host turns into JSON.
//
// Parse is strict: a key that nobody knows is an error with a guess at what was
// meant, and every problem is reported at once. A Manifest is plain data; it is
// not changed once parsed and may be shared. What it says of limits and
// capabilities is a request, never a grant.
//
// Manifests come from outside. Their size and depth are bounded, and a schema of
// settings is refused when checking with it could take long.
package manifest
