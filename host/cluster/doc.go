// Package cluster shares groups among nodes: who owns which, and what to do when
// that changes.
//
// A group is one log (package eventlog), which one node at a time reads, decides
// and writes. Nodes agree through Leases, a small table of entries that expire. A
// node keeps an entry for itself, and one for every group that it owns; it renews
// them a few times within their life. There is no leader: every node reads the same
// table and works out the same plan (Plan), takes the groups that are to be its own
// once nobody has them, and gives up those that are to be another's.
//
// # What a lease is worth
//
// A lease decides who tries. It keeps nobody from writing: a node that was stopped
// for a minute goes on where it was and does not know better. The fence is in the
// log: every write names the sequence it must get, and the first thing a new owner
// does is to write a claim, so that whatever the old one still writes is refused.
// The epoch of a claim is the revision of the lease, which only grows.
//
// What no log can refuse is what an action does elsewhere. So an owner that has
// not been able to renew stops by itself before the lease can be taken: its group's
// context ends when the lease has Margin left.
//
// # Joining, leaving, dying
//
// A node that joins is given groups once it has been there for Settle, a node
// that drains is given none and hands over those it has, and one that dies loses
// its own when they expire, after at most TTL. Handing over means that the group's
// run ends in good order before its lease is deleted. A node that cannot run a group
// says so in its own entry, with the reason, before it gives up the lease: then the
// plan of every node has another one try, and this one when there is no other. A plan moves no more groups
// than it must to have all nodes own as many as each other, or one more.
package cluster
