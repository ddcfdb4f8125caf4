package squeeze

import (
	"fmt"

	"github.com/klauspost/compress/dict"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/nearcache/nearcache/store/squeeze"
)

// method is a way of compressing. Both functions write into dst, which has
// room, and return what they wrote.
type method struct {
	name       string
	compress   func(dst, src []byte) []byte
	decompress func(dst, src []byte) ([]byte, error)
}

// methods are all ways, their dictionaries made from learn.
func methods(learn [][]byte) ([]method, error) {
	out := []method{
		{
			"s2",
			func(dst, src []byte) []byte { return s2.Encode(dst[:cap(dst)], src) },
			func(dst, src []byte) ([]byte, error) { return s2.Decode(dst[:cap(dst)], src) },
		},
		{
			"s2 better",
			func(dst, src []byte) []byte { return s2.EncodeBetter(dst[:cap(dst)], src) },
			func(dst, src []byte) ([]byte, error) { return s2.Decode(dst[:cap(dst)], src) },
		},
	}
	for _, l := range []zstd.EncoderLevel{zstd.SpeedFastest, zstd.SpeedDefault, zstd.SpeedBetterCompression, zstd.SpeedBestCompression} {
		m, err := plain("zstd "+l.String(), l, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	for _, l := range []zstd.EncoderLevel{zstd.SpeedFastest, zstd.SpeedBetterCompression} {
		for _, size := range []int{16 << 10, 64 << 10} {
			c, err := trained(learn, squeeze.Options{Level: l, DictionarySize: size, SampleSize: 64 << 20})
			if err != nil {
				return nil, err
			}
			out = append(out, codec(fmt.Sprintf("squeeze %v, dictionary %d kB", l, size>>10), c))
			if l != zstd.SpeedFastest {
				continue
			}
			m, err := s2Dict(fmt.Sprintf("s2, the same dictionary %d kB", size>>10), c.Dictionary())
			if err != nil {
				return nil, err
			}
			out = append(out, m)
		}
	}
	d, err := dict.BuildZstdDict(learn, dict.Options{MaxDictSize: 64 << 10, HashBytes: 6, ZstdDictID: 1, ZstdLevel: zstd.SpeedFastest})
	if err != nil {
		return nil, err
	}
	m, err := plain("zstd fastest, compress/dict 64 kB", zstd.SpeedFastest, d)
	if err != nil {
		return nil, err
	}
	return append(out, m), nil
}

// trained is a codec that knows learn.
func trained(learn [][]byte, o squeeze.Options) (*squeeze.Codec, error) {
	c, err := squeeze.New(o)
	if err != nil {
		return nil, err
	}
	for _, v := range learn {
		c.Sample(v)
	}
	ok, err := c.Train()
	if err == nil && !ok {
		err = fmt.Errorf("%d texts make no dictionary", len(learn))
	}
	return c, err
}

// codec is what the keyspace uses. A value that it leaves as it is is marked
// by 255, which is no generation of so short a life.
func codec(name string, c *squeeze.Codec) method {
	return method{
		name,
		func(dst, src []byte) []byte {
			b, ok := c.Compress(dst, src)
			if !ok {
				return append(append(dst, 255), src...)
			}
			return b
		},
		func(dst, src []byte) ([]byte, error) {
			if src[0] == 255 {
				return append(dst, src[1:]...), nil
			}
			return c.Decompress(dst, src)
		},
	}
}

func plain(name string, l zstd.EncoderLevel, dictionary []byte) (method, error) {
	eo := []zstd.EOption{zstd.WithEncoderLevel(l), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true)}
	do := []zstd.DOption{zstd.WithDecoderConcurrency(1)}
	if dictionary != nil {
		eo = append(eo, zstd.WithEncoderDict(dictionary))
		do = append(do, zstd.WithDecoderDicts(dictionary))
	}
	e, err := zstd.NewWriter(nil, eo...)
	if err != nil {
		return method{}, err
	}
	d, err := zstd.NewReader(nil, do...)
	if err != nil {
		return method{}, err
	}
	return method{
		name,
		func(dst, src []byte) []byte { return e.EncodeAll(src, dst) },
		func(dst, src []byte) ([]byte, error) { return d.DecodeAll(src, dst) },
	}, nil
}

func s2Dict(name string, dictionary []byte) (method, error) {
	i, err := zstd.InspectDictionary(dictionary)
	if err != nil {
		return method{}, err
	}
	content := i.Content()
	d := s2.MakeDict(content[max(0, len(content)-s2.MaxDictSize):], nil)
	if d == nil {
		return method{}, fmt.Errorf("s2 takes no dictionary of %d bytes", len(content))
	}
	return method{
		name,
		func(dst, src []byte) []byte { return d.Encode(dst[:cap(dst)], src) },
		func(dst, src []byte) ([]byte, error) { return d.Decode(dst[:cap(dst)], src) },
	}, nil
}
