// Package tenants holds the arithmetic of limits: who a tenant is, what it may
// use, and what is left of that.
//
//   - Name identifies a tenant. Only ParseName makes one, so whoever holds a
//     Name holds a checked one.
//   - Quota says what a tenant may use: rates and counts.
//   - Bucket limits one rate. It is a token bucket that takes the time as an
//     argument and keeps a single instant of state.
//   - Budget is what is left of a Quota: it admits or refuses, and counts usage.
//   - Ledger counts the bytes that tenants hold in a log which grows at one end and is
//     cut off at the other; Full says that one of them may hold no more.
//   - Memory is the guest memory that is reserved for plugins, by their Need.
//
// Nothing here reads a clock, takes a lock or does I/O. The same calls with the
// same times give the same answers, so a replayed log is admitted the same way.
// Names and quotas are values and may be shared; a Bucket, Budget,
// Ledger or Memory belongs to one goroutine, or to whoever guards it.
package tenants
