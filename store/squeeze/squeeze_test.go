package squeeze

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/nearcache/nearcache/datasets"
)

// prompts are real texts of 64 bytes to 10 kB.
var prompts = sync.OnceValues(func() ([][]byte, error) {
	dir, err := datasets.Dir()
	if err != nil {
		return nil, err
	}
	m, err := datasets.Open(dir)
	if err != nil {
		return nil, err
	}
	s, err := m.Set("arena_prompts")
	if err != nil {
		return nil, err
	}
	rows, err := datasets.LoadJSONL[struct{ Text string }](s.Path(), datasets.Limits{})
	var out [][]byte
	for _, r := range rows {
		if len(r.Text) >= MinLen {
			out = append(out, []byte(r.Text))
		}
	}
	return out, err
})

func texts(t testing.TB) [][]byte {
	t.Helper()
	p, err := prompts()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// answers are texts in the envelope of an API, as caches of them hold.
func answers(t testing.TB) [][]byte {
	var out [][]byte
	for i, p := range texts(t) {
		out = append(out, fmt.Appendf(nil, `{"id":"chatcmpl-%x","object":"chat.completion","created":%d,"choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}]}`, i*7919, 1750000000+i*37, p))
	}
	return out
}

func newCodec(t testing.TB, o Options) *Codec {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func train(t testing.TB, c *Codec, values [][]byte) {
	t.Helper()
	for _, v := range values {
		c.Sample(v)
	}
	if ok, err := c.Train(); err != nil || !ok {
		t.Fatalf("Train: %v, %v; %+v", ok, err, c.Stats())
	}
}

// trip compresses v, decompresses it again, and returns the compressed value.
func trip(t testing.TB, c *Codec, v []byte) ([]byte, bool) {
	t.Helper()
	b, ok := c.Compress([]byte("before"), v)
	if !bytes.HasPrefix(b, []byte("before")) {
		t.Fatalf("Compress of %d bytes overwrites dst", len(v))
	}
	if !ok {
		if len(b) != len("before") {
			t.Fatalf("a value of %d bytes is not compressed, but dst has %d bytes", len(v), len(b))
		}
		return nil, false
	}
	b = b[len("before"):]
	if len(b) > len(v)-len(v)/8 {
		t.Fatalf("%d bytes of %d are called compressed", len(b), len(v))
	}
	if n, err := c.Len(b); n != len(v) || err != nil {
		t.Fatalf("Len: %d, %v, want %d", n, err, len(v))
	}
	got, err := c.Decompress([]byte("before"), b)
	if err != nil || string(got) != "before"+string(v) {
		t.Fatalf("a value of %d bytes comes back as %d: %v", len(v), len(got), err)
	}
	return b, true
}

func TestValuesComeBack(t *testing.T) {
	for _, level := range []zstd.EncoderLevel{0, zstd.SpeedDefault, zstd.SpeedBetterCompression} {
		c := newCodec(t, Options{Level: level})
		for range 2 {
			for _, v := range answers(t) {
				trip(t, c, v)
			}
			// Where the size's encoding changes, and blocks and windows end.
			long := bytes.Repeat(bytes.Join(texts(t), nil), 8)
			for _, n := range []int{0, 1, 63, 64, 255, 256, 257, 65_535, 65_536, 65_791, 65_792, 131_071, 131_072, 131_073, window, window + 1, 1_000_000, len(long)} {
				if b, ok := trip(t, c, long[:n]); !ok && n > 1000 {
					t.Errorf("%d bytes of text are not compressed", n)
				} else if ok {
					c.Release(b)
				}
			}
			if c.Stats().Current == 0 {
				train(t, c, answers(t))
			}
		}
	}
}

func TestNoiseStaysAsItIs(t *testing.T) {
	c := newCodec(t, Options{})
	train(t, c, answers(t))
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{64, 300, 5000, 200_000} {
		v := make([]byte, n)
		for i := range v {
			v[i] = byte(r.Uint32())
		}
		if _, ok := trip(t, c, v); ok {
			t.Errorf("%d bytes of noise are compressed", n)
		}
	}
	if s := c.Stats(); s.Generations[1].Values != 0 {
		t.Errorf("values that stayed as they are hold a reference: %+v", s)
	}
}

func TestDictionaryHelps(t *testing.T) {
	all := answers(t)
	r := rand.New(rand.NewPCG(1, 1))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	known, unknown := all[:len(all)/2], all[len(all)/2:]
	c := newCodec(t, Options{})
	size := func() (n int) {
		for _, v := range unknown {
			b, ok := c.Compress(nil, v)
			if !ok {
				b = v
			}
			n += len(b)
		}
		return n
	}
	before := size()
	train(t, c, known)
	after := size()
	t.Logf("%d bytes without a dictionary, %d with", before, after)
	if after > before*3/4 {
		t.Errorf("%d bytes with a dictionary, %d without", after, before)
	}
	// What it has learned already is no reason for another.
	for _, v := range known {
		c.Sample(v)
	}
	if ok, err := c.Train(); ok || err != nil {
		t.Errorf("the same values make another dictionary: %v, %v", ok, err)
	}
	// Other values are.
	for i := range 4000 {
		c.Sample(fmt.Appendf(nil, "<order><number>%d</number><customer>%d</customer><state>delivered</state><currency>EUR</currency></order>", i*7919, i*104729))
	}
	if ok, err := c.Train(); !ok || err != nil || c.Stats().Current != 2 {
		t.Errorf("other values make no dictionary: %v, %v", ok, err)
	}
}

func TestTooFewSamples(t *testing.T) {
	c := newCodec(t, Options{})
	for range 3 {
		if ok, err := c.Train(); ok || err != nil {
			t.Fatalf("Train without samples: %v, %v", ok, err)
		}
		for range 40 {
			c.Sample([]byte(strings.Repeat("x", 100)))
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		b := make([]byte, 1000)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		c.Sample(b)
	}
	if ok, err := c.Train(); ok || err != nil {
		t.Fatalf("Train with noise: %v, %v", ok, err)
	}
}

func TestSamplesAreBounded(t *testing.T) {
	const most = 100 << 10
	c := newCodec(t, Options{SampleSize: most})
	r := rand.New(rand.NewPCG(1, 1))
	v := make([]byte, 40_000)
	for i := range 100_000 {
		v[64], v[65] = byte(i), byte(i>>8)
		c.Sample(v[:r.IntN(1+r.IntN(len(v)))])
	}
	if s := c.Stats(); s.SampleBytes > most || s.SampleBytes < most/2 {
		t.Errorf("%+v", s)
	}
	// Late values are among them as well as early ones.
	late := 0
	for _, b := range c.samples.mu.values {
		if len(b) > 65 && int(b[64])|int(b[65])<<8 > 20_000 {
			late++
		}
	}
	if late == 0 {
		t.Error("no late value was taken")
	}
}

// order is a value of which kind k's have much in common, and others nothing.
func order(k, i int) []byte {
	r := rand.New(rand.NewPCG(uint64(k), 9))
	b := make([]byte, 0, 500)
	for range 12 {
		for range 12 {
			b = append(b, byte('a'+r.IntN(26)))
		}
		b = fmt.Appendf(b, "=%d;", i*7919%1000)
		i /= 2
	}
	return b
}

func TestGenerationsLiveAsLongAsTheirValues(t *testing.T) {
	c := newCodec(t, Options{DictionarySize: minDictionary, SampleSize: 16 << 10})
	learn := func(k int) (bool, error) {
		for i := range 200 {
			c.Sample(order(k, i))
		}
		return c.Train()
	}
	var kept [][]byte
	for k := 1; k <= 5; k++ {
		if ok, err := learn(k); err != nil || !ok {
			t.Fatalf("kind %d: %v, %v", k, ok, err)
		}
		b, ok := c.Compress(nil, order(k, 1))
		if !ok || b[0] != byte(k) {
			t.Fatalf("kind %d: % x", k, b[:2])
		}
		kept = append(kept, b)
	}
	if c.Stale(kept[4]) || !c.Stale(kept[0]) {
		t.Error("Stale does not tell the newest from the oldest")
	}
	c.Retain(kept[0])
	c.Release(kept[0])
	c.Release(kept[2])
	s := c.Stats()
	if len(s.Generations) != 5 || s.Current != 5 {
		t.Errorf("one was let go, there are: %+v", s)
	}
	for i, b := range kept {
		got, err := c.Decompress(nil, b)
		if i == 2 {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("a value whose generation is gone: %v", err)
			}
		} else if err != nil || !bytes.Equal(got, order(i+1, 1)) {
			t.Errorf("value of kind %d: %v", i+1, err)
		}
	}
	c.Release(kept[4]) // the newest stays without values
	if _, ok := c.Compress(nil, order(5, 2)); !ok {
		t.Error("the newest generation is gone")
	}
	// Numbers are used again, but not those of values that are left.
	for k := 6; k < 600; k++ {
		switch ok, err := learn(k); {
		case k > 255+3 && errors.Is(err, ErrTooManyGenerations):
			if n := len(c.Stats().Generations); n != 256 {
				t.Fatalf("too many generations: %d", n)
			}
			for _, i := range []int{0, 1, 3} {
				if got, err := c.Decompress(nil, kept[i]); err != nil || !bytes.Equal(got, order(i+1, 1)) {
					t.Errorf("value of kind %d: %v", i+1, err)
				}
			}
			return
		case err != nil || !ok:
			t.Fatalf("kind %d: %v, %v", k, ok, err)
		}
		if k > 10 {
			if _, ok := c.Compress(nil, order(k, 1)); !ok { // never released
				t.Fatalf("kind %d is not compressed", k)
			}
		}
	}
	t.Error("there is no end of generations")
}

func TestCompressWhileGenerationsChange(t *testing.T) {
	c := newCodec(t, Options{DictionarySize: minDictionary, SampleSize: 32 << 10})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for g := range 3 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			var kept [][]byte
			var values [][]byte
			for {
				select {
				case <-stop:
					for _, b := range kept {
						c.Release(b)
					}
					return
				default:
				}
				v := order(1+r.IntN(20), r.IntN(1000))
				c.Sample(v)
				if b, ok := c.Compress(nil, v); ok {
					kept, values = append(kept, b), append(values, v)
				}
				if len(kept) > 50 {
					i := r.IntN(len(kept))
					got, err := c.Decompress(nil, kept[i])
					if err != nil || !bytes.Equal(got, values[i]) {
						t.Errorf("a value does not come back: %v", err)
						return
					}
					c.Release(kept[i])
					kept[i], values[i] = kept[len(kept)-1], values[len(values)-1]
					kept, values = kept[:len(kept)-1], values[:len(values)-1]
				}
			}
		})
	}
	adopted := 0
	for k := 1; k <= 10; k++ {
		for i := range 1000 {
			c.Sample(order(k, i))
		}
		if ok, err := c.Train(); err != nil {
			t.Error(err)
		} else if ok {
			adopted++
		}
	}
	close(stop)
	wg.Wait()
	if adopted < 3 {
		t.Errorf("only %d generations", adopted)
	}
	s := c.Stats()
	for _, g := range s.Generations {
		if g.Values != 0 || g.ID != 0 && g.ID != s.Current {
			t.Errorf("all values were released: %+v", s)
		}
	}
}

func TestHostileBytes(t *testing.T) {
	c := newCodec(t, Options{MaxLen: 1 << 20})
	train(t, c, answers(t))
	good, ok := c.Compress(nil, answers(t)[0])
	if !ok {
		t.Fatal("not compressed")
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 10_000 {
		b := bytes.Clone(good)
		for range 1 + r.IntN(3) {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
		hostile(t, c, b[:r.IntN(len(b)+1)])
	}
	// Lengths that are not there.
	for _, b := range [][]byte{nil, {0}, {1}, {0, 0}, {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, {0, 0x80, 0x80, 0x80, 0x08, 0, 0, 0}, {7, 10, 0, 0, 0}} {
		hostile(t, c, b)
	}
}

func hostile(t testing.TB, c *Codec, b []byte) {
	t.Helper()
	got, err := c.Decompress(nil, b)
	if err != nil && (!errors.Is(err, ErrCorrupt) || len(got) != 0) {
		t.Fatalf("% x: %d bytes and %v", b, len(got), err)
	}
	if n, err2 := c.Len(b); err == nil && (err2 != nil || n != len(got)) {
		t.Fatalf("% x: %d bytes, Len %d, %v", b, len(got), n, err2)
	}
}

func FuzzDecompress(f *testing.F) {
	c := newCodec(f, Options{MaxLen: 1 << 20})
	for _, v := range answers(f)[:20] {
		if b, ok := c.Compress(nil, v); ok {
			f.Add(b)
		}
	}
	train(f, c, answers(f))
	for _, v := range answers(f)[:20] {
		if b, ok := c.Compress(nil, v); ok {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) { hostile(t, c, b) })
}

func FuzzCompress(f *testing.F) {
	c := newCodec(f, Options{})
	train(f, c, answers(f))
	f.Add(answers(f)[0], 3)
	f.Fuzz(func(t *testing.T, v []byte, times int) {
		v = bytes.Repeat(v, 1+min(max(times, 0), 1<<20/(len(v)+1)))
		if b, ok := trip(t, c, v); ok {
			c.Release(b)
		}
	})
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{
		{Level: zstd.SpeedBestCompression},
		{Level: -1},
		{DictionarySize: 1},
		{DictionarySize: 2 << 20},
		{SampleSize: 1000},
		{MaxLen: -1},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func TestReleaseOnceTooOftenPanics(t *testing.T) {
	c := newCodec(t, Options{DictionarySize: minDictionary, SampleSize: 32 << 10})
	train(t, c, answers(t))
	g := c.current.Load()
	g.refs.Store(0)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	c.Release([]byte{g.id, 10, 0, 0, 0})
}
