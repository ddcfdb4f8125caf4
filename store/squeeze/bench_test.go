package squeeze

import (
	"fmt"
	"testing"
)

func BenchmarkCodec(b *testing.B) {
	c := newCodec(b, Options{})
	train(b, c, answers(b))
	var all []byte
	for _, v := range texts(b) {
		all = append(all, v...)
	}
	for _, n := range []int{200, 1000, 4000, 16_000} {
		v := all[50_000 : 50_000+n]
		buf := make([]byte, 0, Room(n))
		z, ok := c.Compress(nil, v)
		if !ok {
			b.Fatal("not compressed")
		}
		b.Run(fmt.Sprintf("compress/%d", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				out, _ := c.Compress(buf, v)
				c.Release(out)
			}
			b.ReportMetric(float64(n)/float64(len(z)), "ratio")
		})
		b.Run(fmt.Sprintf("decompress/%d", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Decompress(buf, z); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSample(b *testing.B) {
	c := newCodec(b, Options{})
	v := answers(b)
	i := 0
	for b.Loop() {
		c.Sample(v[i%len(v)])
		i++
	}
}

func BenchmarkTrain(b *testing.B) {
	for b.Loop() {
		c := newCodec(b, Options{})
		for range 8 {
			for _, v := range answers(b) {
				c.Sample(v)
			}
		}
		if _, err := c.Train(); err != nil {
			b.Fatal(err)
		}
	}
}
