// Package event holds the one value that every part of rhost passes around:
// an Event, which is a CloudEvents 1.0 event whose payload stays in the bytes
// it came in.
//
// An event enters through Parse (one structured CloudEvent), ParseBatch (a JSON
// array) or a Reader (lines of NDJSON). Parsing is one pass that checks
// everything once: UTF-8, grammar, depth, duplicate keys, attributes. The payload
// is sliced out raw. Whoever wants something from it names it by Path
// ("data.user.name", "ext.region") and asks with Event.Get, or, for many paths
// at once and without allocating, with PathSet.Scan, which walks the payload
// once and skips every subtree that nobody asked for. Who knows the paths before
// the event comes in parses and scans in one pass: PathSet.ParseScan. The answer
// is a Value, a small tagged union that knows a missing field from a null one.
//
// Between processes an event travels as JSON (AppendJSON); inside the log it
// travels in a compact versioned form (AppendBinary, DecodeBinary).
//
// # Ownership
//
// Nothing here copies what it does not have to. An Event aliases the bytes it
// was parsed from, and a Value of kind String, List or Map aliases the event's
// payload. Those bytes must therefore never change while an event or value is
// in use; Event.Clone gives an event with bytes of its own, which is also how to
// keep a small event without keeping the megabyte it arrived in.
//
// Events, values, paths and path sets are plain immutable data: any number of
// goroutines may read them. A Reader belongs to one goroutine.
//
// # Limits
//
// MaxSize bytes for an event, MaxDepth levels of JSON, no duplicate keys,
// valid UTF-8. What breaks a limit is refused with a *SyntaxError or a
// *FieldError that says where and what to do; input never causes a panic.
package event
