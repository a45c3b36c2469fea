// Package script holds what the engines for Lua and JavaScript have in common,
// so that a script means the same in both: the same prices, the same limits, the
// same services, the same call.
//
//   - Meter counts fuel and bytes, watches the clock, and remembers why a call
//     had to stop. Once stopped it stays stopped, whatever the script catches.
//   - Host offers the services of the ABI to a script. Each is charged before it
//     does anything; an answer is a status, never an exception of the language.
//   - Encoder writes a result as JSON within the output limit.
//
// # Memory
//
// Neither interpreter says how much memory a guest holds, so bytes are charged
// when they are asked for and never given back: Limits.Memory bounds what a call
// allocates in total. The prices are nominal and fixed, so that a call that is
// stopped for memory is stopped at the same place every time. Behind them stands
// a watchdog on the process: a call that finds the heap above Options of its
// engine is stopped with a memory fault, whoever filled it.
//
// The types belong to the goroutine of one call.
package script
