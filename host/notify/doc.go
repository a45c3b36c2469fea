// Package notify tells whoever listens what happened.
//
// A Hub passes a Message to the subscriptions of its topic. Publishing never
// waits: a subscription has a ring of its own, and a subscriber that is slower
// than its topic loses the oldest messages and is told how many
// (Subscription.Next). A slow subscriber thus costs nobody else anything.
//
// Histories keep the newest messages of topics that are to last, with an offset each.
// They are folded from a log by whoever has one, so offsets are the same after a
// restart; a reader that comes back says how far it was, and gets what followed, or is
// told of the Gap. Its reader looks there for messages, and takes those of the hub for
// the sign that there are more.
//
// Neither knows a wire protocol. Topics that start with
// "rhost:" carry the host's own activity; every other topic belongs to the
// tenant's rules.
//
// A Hub is safe for concurrent use, and so are Histories but for Append; a
// Subscription belongs to one reader.
package notify
