// Package peers is a module of its own for what rhost is measured beside and does not
// depend on. Each of its commands runs one other host; `go run ./bench` builds and
// starts them.
package peers
