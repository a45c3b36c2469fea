package sandbox

import (
	"runtime/debug"
	"strings"
	"sync"
)

// dependencies are the modules that this program was built with, and their
// versions.
var dependencies = sync.OnceValue(func() map[string]string { //nolint:gochecknoglobals // of the program
	all := make(map[string]string)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			all[dep.Path] = dep.Version
		}
	}
	return all
})

// VersionOf returns the version of a module that this program was built with, such
// as "v1.2.3", or "unknown". Engines say with it what counts their fuel.
func VersionOf(module string) string {
	for path, version := range dependencies() {
		if path == module || strings.HasPrefix(path, module+"/") {
			return version
		}
	}
	return "unknown"
}
