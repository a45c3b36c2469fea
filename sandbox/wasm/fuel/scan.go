package fuel

// Scan admits a module: it checks that wasm is a complete, valid module within
// bounds and describes it. The error is an *Error.
func Scan(wasm []byte, b Bounds) (*Info, error) {
	m, err := parse(wasm, b.withDefaults())
	if err != nil {
		return nil, err
	}
	if err := m.checkBodies(nil, func(*function) {}); err != nil {
		return nil, err
	}
	return m.info(), nil
}
