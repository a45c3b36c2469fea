// Package index finds, among millions of conditions, those that hold for an event.
//
// A Builder takes conditions as formulas (predicate.Formula) and builds a Segment,
// which is immutable and packed into a few flat arrays. Segment.Match reads the
// event's fields, each at most once for each structure below, and appends the
// numbers of the conditions that hold. Segment.AppendBinary and Load put a segment
// on disk and back. An Index is a list of segments that grows and shrinks: With
// adds and removes conditions in a small new segment, a Compaction joins segments
// aside, and conditions keep their numbers all along.
//
// # How it works
//
// Tests of one field are interned, and so are the And and Or above them, so that
// conditions share whatever they have in common, and each is decided at most once
// for an event. Each condition is filed under the one test that is expected to be
// met by the fewest events: its access test. A condition whose access test an
// event does not meet costs nothing. Where several tests together do better, it
// is filed under a pair of equalities, or an interval with two ends. An Or is
// filed under each of its alternatives. What leads from a value to the tests it
// meets:
//
//	==, in           a hash table for each field; also of lower(value)
//	<, <=, >, >=     elementary segments between the constants, and a tree of intervals over them
//	startsWith       a radix tree; endsWith the same, read backwards
//	contains         an Aho–Corasick automaton for each field
//	matches          texts with anything between are recognised and sought by their best piece;
//	                 other expressions by texts that every match has (in the same trees and
//	                 automata), and run only where these are found
//	cidr             sorted networks, each knowing the next one around it
//	has              a list; so are negations, under the presence of their field
//
// What has none of these, such as a comparison of two fields, is decided for every
// event. Segment.Place tells where a condition is filed, and why.
//
// # Bounds
//
// Matching is linear in the length of the event's texts, whatever the tests,
// except that a regular expression takes its own length times that of the text.
// Texts longer than every constant are not hashed. Hashes are keyed with a secret
// of the segment (SipHash-1-3), so events cannot be made to collide. Formulas are
// never multiplied out; what would be filed in more than 4,096 places is decided
// for every event instead. Load checks all it reads and takes nothing on trust.
//
// Texts are taken for valid UTF-8 and numbers for no NaN, as events promise.
//
// # Concurrency
//
// Segments and Indexes are immutable and may be used by any number of goroutines.
// A Scratch and a Builder belong to one goroutine each.
package index
