// Package batch makes a plugin take many calls in one go. Import it for its side
// effect, and say so in the manifest:
//
//	import _ "github.com/rhost/rhost/sdk/guest/batch"
//
//	{"batch": true, …}
//
// The handler runs as always, once for each call, and each ends by itself. Unlike
// single calls, those of a batch share an instance: package variables keep what the
// call before left in them. After a panic the host runs the calls again one by one.
package batch
