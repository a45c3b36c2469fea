package wasm

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"github.com/tetratelabs/wazero"
)

// Cache keeps compiled modules, on disk and, while several engines have the same
// module loaded, in memory. A host has one and an engine for each tenant: what they
// share is code that nobody can change, and never memory or what start-up leaves in
// it. It is safe for concurrent use.
type Cache struct {
	dir   string
	kept  wazero.CompilationCache
	turns *turns
}

// OpenCache opens the cache in a folder. It holds executable code: the folder is made
// for its owner alone, and refused when others may write to it.
func OpenCache(dir string) (*Cache, error) {
	kept, err := openCache(dir)
	if err != nil {
		return nil, fmt.Errorf("cache of compiled modules: %w", err)
	}
	return &Cache{dir: dir, kept: kept, turns: newTurns()}, nil
}

// Close releases the cache. The engines that use it are closed first.
func (c *Cache) Close(ctx context.Context) error {
	if err := c.kept.Close(ctx); err != nil {
		return fmt.Errorf("close the cache of compiled modules: %w", err)
	}
	return nil
}

// openCache opens wazero's cache in a folder.
func openCache(dir string) (wazero.CompilationCache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o022 != 0 && runtime.GOOS != "windows" {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: fmt.Errorf("others may write to it (%v), and it holds code that is run; chmod 700 it", info.Mode().Perm())}
	}
	return wazero.NewCompilationCacheWithDir(dir)
}
