// Package eventlog is the durable log of a host: what was accepted, in order,
// on disk before anybody is told so.
package eventlog
