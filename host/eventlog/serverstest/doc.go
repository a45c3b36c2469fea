// Package serverstest starts NATS servers as an operator would run them, for tests of
// those who keep a log there: one or several, with TLS and whatever callers have to
// prove, and makes the certificates and keys for it.
//
// Everything ends with the test. Functions may be called together.
package serverstest
