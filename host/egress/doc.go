// Package egress makes HTTP requests for guests and workflow steps to places
// that an operator has allowed, and to no others.
//
// A Client is made from a Config: the hosts that may be asked, and the private
// networks that may be dialled. Everything else is refused, in this order:
//
//   - the URL: http or https, no credentials in it, a host and port that Hosts
//     allows; a redirect is looked at in the same way, at each hop;
//   - the address, after names are resolved and at the moment of dialling, so a
//     name that changes its address gains nothing: loopback, link-local, private,
//     multicast and otherwise special addresses are refused, in all their
//     spellings, unless Private or a literal address in Hosts allows them.
//
// Proxies of the environment are not used. A redirect to another host takes no
// headers along that the request was given, and none leads from https to http.
//
// Request and response have a size and a time. The size of a response counts
// after decompression. A Request has an idempotency key, which is sent as
// Idempotency-Key: the same for every attempt, so that the other side can
// recognise a repeat.
//
// Errors are of type *Error, with a Kind in the words of a workflow.
//
// A Client is safe for concurrent use.
package egress
