package server

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nearcache/nearcache/store"
)

const (
	// maxCompressed is the largest compression-max-size: a read decompresses its
	// value while others wait for the shard.
	maxCompressed = 1 << 20

	// worthCompressing is how much data there has to be before cold values are
	// compressed: dictionaries, samples and tables take some 5 MB.
	worthCompressing = 32 << 20

	// How long it works in each compressEvery: 2% of a core for what is cold, and
	// up to a third where everything is to be compressed.
	compressEvery = 25 * time.Millisecond
	compressCold  = 500 * time.Microsecond
	compressAll   = 8 * time.Millisecond
)

// compressLoop compresses values in the background.
func (s *Server) compressLoop(ctx context.Context) {
	t := time.NewTicker(compressEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		d := compressCold
		if store.CompressionMode(s.cfg.compression.Int()) == store.CompressAll {
			d = compressAll
		}
		s.ks.Compress(d)
	}
}

func applyCompression(s *Server, c *Config) error {
	x := store.Compression{
		Mode:    store.CompressionMode(c.compression.Int()),
		MinSize: int(c.compressMin.Int()),
		MaxSize: int(c.compressMax.Int()),
		MinIdle: c.compressIdle.Int() * 1000,
		Types:   uint16(c.compressTypes.Int()),
	}
	if x.Mode == store.CompressCold {
		x.MinTotal = worthCompressing
	}
	s.ks.SetCompression(x)
	return nil
}

// compressible are the names of the types that can be compressed.
func compressible() (names []string) {
	for _, t := range store.Compressible {
		names = append(names, t.Name)
	}
	return names
}

// parseCompressed reads names of types; the number has a bit for each.
func parseCompressed(words []string, _ string) (int64, string, error) {
	bits := int64(0)
	var names []string
	for _, w := range strings.Fields(strings.Join(words, " ")) {
		i := slices.IndexFunc(compressible(), func(name string) bool { return strings.EqualFold(name, w) })
		if i < 0 {
			return 0, "", errors.New("argument(s) must be one of the following: " + strings.Join(compressible(), ", "))
		}
		t := store.Compressible[i]
		if bits>>t.ID&1 == 0 {
			bits |= 1 << t.ID
			names = append(names, t.Name)
		}
	}
	return bits, strings.Join(names, " "), nil
}

// infoCompression writes the lines of INFO memory about it.
func (s *Server) infoCompression(t *infoText) {
	c := s.ks.CompressionStats()
	t.field("compressed_keys", c.Keys)
	t.bytes("compressed_values", c.Packed)
	t.bytes("compressed_values_raw", c.Raw)
	t.field("compression_overhead_bytes", c.Overhead)
	t.field("compression_dictionaries", c.Dictionaries)
	t.field("compressions", c.Compressed)
	t.field("decompressions", c.Decompressed)
	t.field("compressions_undone", c.Restored)
}
