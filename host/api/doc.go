// Package api serves the host over HTTP: events in, and what became of them out.
//
//	POST   /v1/events                    CloudEvents: structured, batch or binary; 202 after the fsync
//	GET    /v1/matches, /v1/matches/{id} recorded matches, and why one happened
//	GET    /v1/actions                   attempts at steps, and how executions ended
//	GET    /v1/deadletters               what failed for good; also by id, redrive and drop
//	GET    /v1/rules/{rule}/plan         how a rule is run; …/why-not: what stopped its furthest partial match
//	GET    /v1/status                    sources, plugins, rules, counts
//	GET    /v1/tail                      what happens, as it happens, one JSON object a line
//	GET    /v1/topics/{topic}/events     messages of a topic that is kept, as Server-Sent Events
//	POST   /hooks/{name}                 webhooks of the app's sources
//	GET    /healthz, /readyz             alive; able to accept, by a write to the log
//	GET    /openapi.json                 this list for machines, as OpenAPI 3.1
//
// New builds an http.Handler over a Backend, the small interface the host
// fulfils; the package knows no other part. Problems are answered as RFC 9457
// objects that name what is wrong and what to do. Handlers are safe for
// concurrent use.
//
// The same handler answers on the TCP address, where until authentication
// exists only loopback may call and the Host header must name it, and on the
// local socket, whose file mode is its guard.
package api
