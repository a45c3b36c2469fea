package fuel

// OnProcessor returns the config for a machine whose NaNs have those bits set.
func (c Config) OnProcessor(noise uint64) Config {
	c.noise = noise
	return c
}
