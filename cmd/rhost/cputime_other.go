//go:build !unix

package main

import "time"

// processTime is the processor time that this process has used; it is not known
// here.
func processTime() time.Duration { return 0 }
