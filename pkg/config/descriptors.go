package config

import "queue-worker/pkg/descriptor"

// Descriptors returns what the settings say about file descriptors.
func (c *Config) Descriptors() descriptor.Demand {
	d := descriptor.Demand{MaxInflight: c.MaxInflight}
	if c.StanEmbedded {
		d.Channels = len(c.Channels)
	}
	return d
}
