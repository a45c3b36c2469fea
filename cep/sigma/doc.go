// Package sigma turns Sigma rules (https://sigmahq.io, specification 2.1) into
// rhost rule documents, the YAML of spec/rules.md.
//
// An Importer collects Sigma files with Add, because correlations and filters
// refer to rules of other files, and Convert gives a Converted for each rule
// that stands on its own, and a Problem, with its place, reason and remedy, for
// everything that cannot be said exactly. A rule is converted whole or not at
// all.
//
// # Mapping
//
// Sigma speaks of log sources and field names; events have types and paths. A
// Mapping, read from YAML by ParseMapping, says which type and conditions a log
// source stands for, under which paths a field is found, what keyword search
// looks at and what placeholders mean. DefaultMapping is the file default.yaml of
// this folder, which also documents the format.
//
// # Meaning
//
// Sigma compares texts without regard to case and is two-valued: a selection on
// a field that is missing is false, and its negation is true. CEL is
// three-valued, and `!` keeps unknown. What comes out here is true of an event
// exactly when the Sigma rule is:
//
//   - A field has a text: a JSON text is its own, a number's is its shortest
//     decimal, a truth's is true or false. Nulls, lists and maps have none. Every
//     comparison of texts works on that, so `EventID: 4688` finds 4688 and "4688".
//   - Case is ignored by strings.ToLower on both sides, as lower() does; regular
//     expressions keep case, and `cased` compares as written.
//   - `null` is a field that is missing or null; `exists` asks for its presence
//     alone; a value of nothing but `*` is any value except null.
//   - lt, lte, gt and gte take numbers, and texts that are plain decimals.
//   - minute … year read the beginning of a text such as 2025-12-06 21:11:02, as
//     it is written, without regard to zones.
//   - Keyword search looks for the keyword anywhere in the texts of the payload's
//     own fields, or of the fields that the mapping names.
//   - A field that the mapping finds under several paths meets a condition when it
//     does under one of them.
//   - A condition that holds for every event of a log source, such as a negation
//     alone, still needs a payload that is a map.
//
// Conditions are written so that an index can use them: positive tests are bare
// atoms such as lower(data.Image).endsWith("\\cmd.exe"), first in their
// conjunction. Only where a negation could meet a value without truth is the
// other half spelled out, and not where a positive test beside it already says
// that the field is a text.
//
// # Correlations
//
// A count that must be reached becomes a pattern of so many events within the
// timespan: it matches at the event that completes it, wherever the frame lies.
// So does a count of distinct values, whose element refuses a value bound
// before. Counts that must stay below something, and sums, averages and
// percentiles, are window rules. temporal is `a & b`, temporal_ordered `a then
// b`; keys that go by different names in different rules become comparisons with
// the first element.
//
// Input is bounded (see the limits in limits.go) and nothing here panics on it.
// An Importer belongs to one goroutine; a Mapping is immutable once parsed.
package sigma
