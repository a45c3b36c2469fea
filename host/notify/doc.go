// Package notify tells whoever listens what happened.
//
// A Hub passes a Message to the subscriptions of its topic. Publishing never
// waits: a subscription has a ring of its own, and a subscriber that is slower
// than its topic loses the oldest messages and is told how many
// (Subscription.Next). A slow subscriber thus costs nobody else anything.
//
// The hub keeps no history and knows no wire protocol. Topics that start with
// "rhost:" carry the host's own activity; every other topic belongs to the
// tenant's rules.
//
// A Hub is safe for concurrent use; a Subscription belongs to one reader.
package notify
