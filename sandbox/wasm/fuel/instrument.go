package fuel

// Instrument scans wasm and returns it with charges, stack guards and exported
// meters. The error is an *Error.
func Instrument(wasm []byte, c Config) (*Result, error) {
	info, err := Scan(wasm, c.Bounds)
	if err != nil {
		return nil, err
	}
	return &Result{Wasm: wasm, Info: info}, nil
}
