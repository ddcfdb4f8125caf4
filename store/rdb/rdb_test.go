package rdb

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/types/hash"
	"github.com/nearcache/nearcache/store/types/json"
	"github.com/nearcache/nearcache/store/types/list"
	"github.com/nearcache/nearcache/store/types/set"
	"github.com/nearcache/nearcache/store/types/str"
	"github.com/nearcache/nearcache/store/types/stream"
	"github.com/nearcache/nearcache/store/types/sug"
	"github.com/nearcache/nearcache/store/types/vset"
	"github.com/nearcache/nearcache/store/types/zset"
)

func TestChecksumIsThatOfRedis(t *testing.T) {
	if got := Checksum(0, []byte("123456789")); got != 0xe9c6d914c4b8d9ca {
		t.Fatalf("%x", got)
	}
	if got := Checksum(Checksum(0, []byte("1234")), []byte("56789")); got != 0xe9c6d914c4b8d9ca {
		t.Fatalf("in parts: %x", got)
	}
	if Checksum(0, nil) != 0 {
		t.Fatal("the checksum of nothing is 0")
	}
}

func TestLZFComesBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 1000 {
		b := make([]byte, rng.IntN(3000))
		if i%100 == 0 {
			b = make([]byte, 100_000)
		}
		letters := 1 + rng.IntN(20)
		for j := range b {
			if b[j] = byte(rng.IntN(letters)); j > 300 && rng.IntN(3) > 0 {
				b[j] = b[j-1-rng.IntN(299)]
			}
		}
		packed, ok := lzfCompress([]byte("x"), b)
		if !ok {
			if len(packed) != 1 {
				t.Fatalf("%d: %d bytes are left", i, len(packed))
			}
			continue
		}
		if len(packed)-1 >= len(b) {
			t.Fatalf("%d bytes became %d", len(b), len(packed)-1)
		}
		back, ok := lzfExpand([]byte("y"), packed[1:], len(b))
		if !ok || string(back[1:]) != string(b) {
			t.Fatalf("%d: %d bytes did not come back", i, len(b))
		}
		if _, ok := lzfExpand(nil, packed[1:], len(b)+1); ok {
			t.Fatal("a length that is too great")
		}
		if _, ok := lzfExpand(nil, packed[1:], len(b)-1); ok && len(b) > 0 {
			t.Fatal("a length that is too small")
		}
	}
	if packed, ok := lzfCompress(nil, bytes.Repeat([]byte("a"), 1<<20)); !ok || len(packed) > 1<<20/80 {
		t.Fatalf("a megabyte of the same became %d bytes", len(packed))
	}
}

// text is all there is to know of a value.
func text(o object.Object) string {
	var s strings.Builder
	fmt.Fprintln(&s, o.Type().Name, o.Encoding())
	var lines []string
	o.Rebuild([]byte("k"), func(args ...[]byte) {
		switch o.(type) {
		case *set.Value: // the order is not told
			for _, a := range args[2:] {
				lines = append(lines, fmt.Sprintf("%q", a))
			}
			return
		case *hash.Value:
			return
		}
		if string(args[0]) == "XCLAIM" { // those of the same time are read in the order of their IDs
			return
		}
		lines = append(lines, fmt.Sprintf("%q", args))
	})
	switch v := o.(type) {
	case *hash.Value:
		v.Each(func(name string, value []byte) bool {
			at, _ := v.Expiry([]byte(name))
			lines = append(lines, fmt.Sprintf("%q %q %d", name, value, at))
			return true
		})
		slices.Sort(lines)
	case *set.Value:
		slices.Sort(lines)
	case *stream.Value:
		v.EachBlock(func(b stream.Block) {
			lines = append(lines, fmt.Sprint(b.First(), b.Live(), b.Dead()))
		})
		for _, g := range v.Groups() {
			g.Each(nil, stream.MinID, func(p stream.Pending) bool {
				name := ""
				if p.Consumer != nil {
					name = p.Consumer.Name
				}
				lines = append(lines, fmt.Sprintf("%q %q %v %d %d", g.Name, name, p.ID, p.Time, p.Count))
				return true
			})
			for _, c := range g.Consumers() {
				lines = append(lines, fmt.Sprint(g.Name, g.Read(), c.Name, c.Seen, c.Active))
			}
		}
		lines = append(lines, fmt.Sprint(v.Producers()))
	}
	return s.String() + strings.Join(lines, "\n")
}

// differ says where two texts differ first.
func differ(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			k := 0
			for k < min(len(g[i]), len(w[i])) && g[i][k] == w[i][k] {
				k++
			}
			k = max(0, k-40)
			g[i], w[i] = g[i][k:], w[i][k:]
			return fmt.Sprintf("line %d: %.300s\nwant %.300s", i, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// gen makes random values.
type gen struct{ *rand.Rand }

func (g gen) text() []byte {
	switch g.IntN(8) {
	case 0:
		return strconv.AppendInt(nil, g.Int64()>>g.IntN(63)*int64(1-2*g.IntN(2)), 10)
	case 1:
		return bytes.Repeat([]byte{byte(g.IntN(256))}, g.IntN(200))
	case 2:
		b := make([]byte, g.IntN(100))
		for i := range b {
			b[i] = byte(g.IntN(256))
		}
		return b
	case 3:
		if g.IntN(20) == 0 {
			return bytes.Repeat([]byte("some text "), g.IntN(2000))
		}
	}
	return fmt.Appendf(nil, "m%d", g.IntN(2000))
}

func (g gen) count() int { return []int{1, 2, 5, 20, 127, 128, 129, 300, 513, 1500}[g.IntN(10)] }

func (g gen) value() object.Object {
	switch n := g.count(); g.IntN(10) {
	case 0:
		return str.Copy(g.text())
	case 1:
		var l list.Loader
		for i := range n {
			if i > 0 && g.IntN(100) == 0 {
				l.EndNode()
			}
			l.Add(g.text())
		}
		return l.End()
	case 2:
		v := new(set.Value)
		for range n {
			v.Add(strconv.AppendInt(nil, g.Int64()>>g.IntN(63), 10))
		}
		return v
	case 3:
		v := set.New(g.text(), n)
		for range n {
			v.Add(g.text())
		}
		return v
	case 4:
		v := zset.New(0, 0)
		for range n {
			score := []float64{0, math.Copysign(0, -1), 1, -1, 0.1, math.Inf(1), math.Inf(-1), g.NormFloat64(), 1e300, 5e-324, 1 << 53, 1<<62 + 1}[g.IntN(12)]
			v.Set(g.text(), score)
		}
		return v
	case 5:
		v := hash.New()
		timed, short := g.IntN(2) == 0, g.IntN(2) == 0
		for range n {
			name, value := g.text(), g.text()
			if short {
				name, value = name[:min(len(name), 60)], value[:min(len(value), 60)]
			}
			if v.Set(name, value); timed && g.IntN(3) > 0 {
				v.SetExpiry(name, 1+g.Int64N(maxFieldTime))
			}
		}
		return v
	case 6:
		var d json.Doc
		if err := d.Parse(fmt.Appendf(nil, `{"a":[%d,2.5,null,true],"b":{"c":%q}}`, g.IntN(1000), fmt.Sprint("text ", g.IntN(100)))); err != nil {
			panic(err)
		}
		return json.New(&d)
	case 7:
		return g.vset(n)
	case 8:
		v := sug.New()
		for range min(n, 600) {
			v.Add(strconv.AppendInt([]byte("Añ"), g.Int64N(1e6), 10), g.NormFloat64(), false, g.text())
		}
		return v
	}
	return g.stream()
}

func (g gen) vset(n int) *vset.Value {
	p := vset.Params{Dim: 1 + g.IntN(20), Quant: []vset.Quant{vset.F32, vset.Q8, vset.Bin}[g.IntN(3)], M: 4 + g.IntN(20)}
	if g.IntN(3) == 0 {
		p.Input = p.Dim + g.IntN(20)
	}
	v := vset.New(p)
	vector := make([]float32, p.Dim)
	if n < 1500 || g.IntN(8) > 0 { // else large enough for a graph, which takes its time
		n = min(n, 60)
	}
	for range min(n, 600) {
		for i := range vector {
			vector[i] = float32(g.NormFloat64())
		}
		var attr []byte
		if g.IntN(3) == 0 {
			attr = append(g.text(), '!') // an empty one is lost, as in Redis
		}
		if _, job, ok := v.Set(g.text(), attr, vector, 20); !ok {
			panic("a vector is refused")
		} else if job != nil && g.IntN(50) > 0 {
			job.Do()
		}
	}
	return v
}

func (g gen) stream() *stream.Value {
	v := stream.New()
	n := g.count()
	var ids []stream.ID
	for i := range n {
		id := stream.ID{Ms: v.Last().Ms + g.Uint64N(3), Seq: g.Uint64N(3)}
		if id.Ms == v.Last().Ms {
			id.Seq = v.Last().Seq + 1
		}
		pairs := [][]byte{[]byte("temperature"), g.text(), []byte("7"), strconv.AppendInt(nil, int64(i), 10)}
		if g.IntN(5) == 0 {
			pairs = [][]byte{g.text(), g.text()}
		}
		if err := v.Append(id, pairs); err != nil {
			panic(err)
		}
		ids = append(ids, id)
	}
	if n == 5 { // IDs as large as can be
		_ = v.Append(stream.ID{Ms: math.MaxUint64, Seq: math.MaxUint64 - 1}, [][]byte{[]byte("f"), []byte("v")})
	}
	for range g.IntN(3) {
		group := v.CreateGroup(g.text(), ids[g.IntN(n)], int64(g.IntN(n)))
		if group == nil {
			continue
		}
		for range g.IntN(4) {
			if c := group.CreateConsumer(g.text(), int64(g.IntN(1e6))); c != nil {
				c.Active = int64(g.IntN(2) - 1)
				for range g.IntN(20) {
					group.Set(ids[g.IntN(n)], c, int64(g.IntN(5)), int64(g.IntN(9)))
				}
			}
		}
		for range g.IntN(3) * g.IntN(2) {
			group.Release(ids[g.IntN(n)], int64(g.IntN(9)))
		}
	}
	for range g.IntN(n) {
		v.Delete(ids[g.IntN(n)])
	}
	if g.IntN(3) == 0 {
		v.Configure(int64(1+g.IntN(1000)), int64(1+g.IntN(50)))
		for range g.IntN(100) {
			pid, iid := fmt.Append(nil, "p", g.IntN(3)), g.text()
			if _, twice := v.Lookup(pid, iid, 0); !twice {
				v.Remember(pid, iid, ids[g.IntN(n)], 0)
			}
			v.Repeated()
		}
	}
	return v
}

func TestValuesComeBack(t *testing.T) {
	g := gen{rand.New(rand.NewPCG(1, 2))}
	kinds := map[byte]int{}
	for i := range 300 {
		o := g.value()
		payload, err := Dump(nil, o)
		if err != nil {
			t.Fatal(err)
		}
		kinds[payload[0]]++
		if old, err := DumpFor(nil, o, version70); err == nil {
			back, err := Restore(old)
			if err != nil || old[len(old)-footerLen] != version70 {
				t.Fatalf("%d: for Redis 7.0, type %d: %v", i, old[0], err)
			}
			// What that version does not know, and encodings, may differ.
			free := o.Type() == set.Type || o.Type() == vset.Type || o.Type() == hash.Type // the order is not told
			if again, err := DumpFor(nil, back, version70); err != nil || !free && string(again) != string(old) {
				t.Fatalf("%d: for Redis 7.0, type %d is another: %v", i, old[0], err)
			}
		} else if !errors.Is(err, ErrUnsupported) {
			t.Fatal(err)
		}
		back, err := Restore(payload)
		if err != nil {
			t.Fatalf("%d: type %d, %s: %v", i, payload[0], o.Type().Name, err)
		}
		if want, got := text(o), text(back); got != want {
			t.Fatalf("%d: type %d: %s", i, payload[0], differ(got, want))
		}
		// From a stream, in whatever pieces it comes.
		var src io.Reader = bytes.NewReader(payload)
		if i%3 == 0 {
			src = iotest.OneByteReader(src)
		}
		r := NewStreamReader(src)
		if back, err = r.Value(r.Byte()); err != nil || r.Offset() != int64(len(payload)-footerLen) {
			t.Fatalf("%d: %v after %d of %d bytes", i, err, r.Offset(), len(payload))
		}
		if want, got := text(o), text(back); got != want {
			t.Fatalf("%d: from a stream: %s", i, differ(got, want))
		}
	}
	if len(kinds) < 15 {
		t.Fatalf("only %d forms: %v", len(kinds), kinds)
	}
}

// TestBrokenPayloadsAreErrors cuts payloads and changes them. Nothing may panic,
// and whatever is taken for a value must be one.
func TestBrokenPayloadsAreErrors(t *testing.T) {
	g := gen{rand.New(rand.NewPCG(2, 2))}
	refused := 0
	for n := 80; n > 0; n-- {
		b, _, err := Append(nil, g.value())
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 4000 {
			n++
			continue
		}
		r := NewReader(b)
		if _, err := r.Value(r.Byte()); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			r := NewReader(b[:g.IntN(len(b))])
			if _, err := r.Value(r.Byte()); err == nil {
				t.Fatalf("type %d is read from a part of it", b[0])
			} else if !errors.Is(err, ErrFormat) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatal(err)
			}
		}
		for range 30 {
			bad := slices.Clone(b)
			for range 1 + g.IntN(3) {
				bad[g.IntN(len(bad))] = byte(g.IntN(256))
			}
			if !sound(t, bad, Version) {
				refused++
			}
		}
	}
	if refused < 500 {
		t.Fatalf("only %d of 2400 changed values were refused", refused)
	}
}

// sound reads a value of bytes that may be anything. One that is read must be
// written and read again as the same.
func sound(t *testing.T, b []byte, version int) bool {
	t.Helper()
	r := NewReader(b)
	r.Version = version
	o, err := r.Value(r.Byte())
	if err != nil {
		return false
	}
	again, err := Dump(nil, o)
	if err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	back, err := Restore(again)
	if err != nil {
		t.Fatalf("%x became %x: %v", b, again, err)
	}
	if want, got := text(o), text(back); want != got {
		t.Fatalf("%x: %s", b, differ(got, want))
	}
	return true
}

func FuzzValue(f *testing.F) {
	g := gen{rand.New(rand.NewPCG(3, 3))}
	for range 60 {
		if b, _, err := Append(nil, g.value()); err == nil && len(b) < 2000 {
			f.Add(b, uint8(Version))
		}
	}
	for _, old := range oldValues {
		f.Add(old.value(), uint8(old.version))
	}
	f.Fuzz(func(t *testing.T, b []byte, version uint8) {
		if len(b) > 1<<16 {
			return
		}
		sound(t, b, int(version))
	})
}

func FuzzLZF(f *testing.F) {
	packed, _ := lzfCompress(nil, bytes.Repeat([]byte("abcabcd"), 50))
	f.Add(packed, 350)
	f.Add([]byte{0xff, 0xff, 0xff}, 264)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if n < 0 || n > 1<<20 {
			return
		}
		got, ok := lzfExpand(nil, b, n)
		if ok && len(got) != n || len(got) > n {
			t.Fatalf("%d bytes of %d", len(got), n)
		}
	})
}

// ---- forms that are not written any more

func lp(elems ...string) []byte {
	w := newListpack(nil)
	for _, s := range elems {
		w.add([]byte(s))
	}
	return w.end()
}

func zl(elems ...string) []byte {
	b := make([]byte, ziplistHead)
	before := 0
	for _, s := range elems {
		binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
		at := len(b)
		if before < zipLong {
			b = append(b, byte(before))
		} else {
			b = binary.LittleEndian.AppendUint32(append(b, zipLong), uint32(before))
		}
		switch n, err := strconv.ParseInt(s, 10, 64); {
		case err == nil && n >= 0 && n <= 12:
			b = append(b, 0xf1+byte(n))
		case err == nil && n == int64(int8(n)):
			b = append(b, 0xfe, byte(n))
		case err == nil && n == int64(int16(n)):
			b = binary.LittleEndian.AppendUint16(append(b, 0xc0), uint16(n))
		case err == nil && n >= -1<<23 && n < 1<<23:
			b = append(b, 0xf0, byte(n), byte(n>>8), byte(n>>16))
		case err == nil && n == int64(int32(n)):
			b = binary.LittleEndian.AppendUint32(append(b, 0xd0), uint32(n))
		case err == nil:
			b = binary.LittleEndian.AppendUint64(append(b, 0xe0), uint64(n))
		case len(s) < 64:
			b = append(append(b, byte(len(s))), s...)
		case len(s) < 1<<14:
			b = append(append(b, 0x40|byte(len(s)>>8), byte(len(s))), s...)
		default:
			b = append(binary.BigEndian.AppendUint32(append(b, 0x80), uint32(len(s))), s...)
		}
		before = len(b) - at
	}
	b = append(b, zipEnd)
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	binary.LittleEndian.PutUint16(b[8:], uint16(len(elems)))
	return b
}

func zm(elems ...string) []byte {
	b := []byte{byte(len(elems) / 2)}
	for i, s := range elems {
		b = append(b, byte(len(s)))
		if i%2 == 1 {
			b = append(b, 3)
		}
		b = append(b, s...)
		if i%2 == 1 {
			b = append(b, "###"...)
		}
	}
	return append(b, zipEnd)
}

// parts appends strings as they are, numbers as lengths, and bytes raw.
func parts(typ byte, p ...any) []byte {
	b := []byte{typ}
	for _, x := range p {
		switch x := x.(type) {
		case int:
			b = appendLength(b, uint64(x))
		case string:
			b = AppendString(b, []byte(x))
		case []byte:
			b = append(appendLength(b, uint64(len(x))), x...)
		case float64:
			b = appendDouble(b, x)
		case rawBytes:
			b = append(b, x...)
		}
	}
	return b
}

type rawBytes string

var long = strings.Repeat("long ", 60)

func streamNode() []byte {
	return lp("2", "1", "1", "f", "0",
		"2", "0", "0", "v", "4",
		"3", "0", "1", "gone", "4",
		"0", "5", "-1", "2", "g", "x", "h", "7", "8")
}

var (
	streamKey  = rawBytes("\x10" + "\x00\x00\x00\x00\x00\x00\x00\x05" + "\x00\x00\x00\x00\x00\x00\x00\x01")
	streamHead = []any{1, streamKey, streamNode()}
)

// oldValues are values in forms that this package does not write, and what they
// must become.
var oldValues = []oldValue{
	{"list", 10, []any{typeList, 3, "a", "12", long}, "RPUSH k a 12 " + long},
	{"list of a ziplist", 10, []any{typeListZiplist, zl("a", "12", "-1", long, "300", "70000", "-9000000", "5000000000", "b")}, "RPUSH k a 12 -1 " + long + " 300 70000 -9000000 5000000000 b"},
	{"list of ziplists", 10, []any{typeListQuicklist, 2, zl("a"), zl("b", "12")}, "RPUSH k a b 12"},
	{"set", 10, []any{typeSet, 2, "a", "12"}, "SADD k a 12"},
	{"sorted set", 10, []any{typeZSet, 3, "a", rawBytes("\x031.5"), "b", rawBytes("\xfe"), "c", rawBytes("\xff")}, "ZADD k -inf c 1.5 a inf b"},
	{"sorted set of a ziplist", 10, []any{typeZSetZiplist, zl("a", "1", "b", "2.5")}, "ZADD k 1 a 2.5 b"},
	{"hash of a zipmap", 10, []any{typeHashZipmap, zm("f", "v", "g", "")}, "HSET k f v g "},
	{"hash of a ziplist", 10, []any{typeHashZiplist, zl("f", "1", long, long)}, "HSET k f 1 " + long + " " + long},
	{"hash with times of Redis 7.4", 12, []any{typeHashTTL, rawBytes("\xe8\x03\x00\x00\x00\x00\x00\x00"), 3, 1, "f", "v", 0, "g", "w", 11, "h", "x"}, "HSETEX k PXAT 1000 FIELDS 1 f v;HSETEX k PXAT 1010 FIELDS 1 h x;HSET k g w"},
	{"hash with times, packed", 12, []any{typeHashPackTTL, rawBytes("\xe8\x03\x00\x00\x00\x00\x00\x00"), lp("f", "v", "1000", "g", "w", "0")}, "HSETEX k PXAT 1000 FIELDS 1 f v;HSET k g w"},
	{"hash with times before the release", 12, []any{typeHashTTLOld, 2, 1000, "f", "v", 0, "g", "w"}, "HSETEX k PXAT 1000 FIELDS 1 f v;HSET k g w"},
	{"hash with times before the release, packed", 12, []any{typeHashPackOld, lp("f", "v", "1000", "g", "w", "0")}, "HSETEX k PXAT 1000 FIELDS 1 f v;HSET k g w"},
	{"hash with times of Valkey 9", 80, []any{typeHashTTLOld, 2, "f", "v", rawBytes("\xe8\x03\x00\x00\x00\x00\x00\x00"), "g", "w", rawBytes("\xff\xff\xff\xff\xff\xff\xff\xff")}, "HSETEX k PXAT 1000 FIELDS 1 f v;HSET k g w"},
	{"hash with names of its own", 15, []any{typeHashTemplateLP, 0, lp("f", "gg"), lp("77", "1", "v")}, "HSET k f 1 gg v"},
	{"hash with names one by one", 15, []any{typeHashTemplate, 1, 2, "f", "gg", "1", "v"}, "HSET k f 1 gg v"},
	{"hash with names of the file", 15, []any{typeHashTemplateID, lp("5", "1", "v")}, "HSET k f 1 gg v"},
	{"hash with names of the file, one by one", 15, []any{typeHashTemplateIA, 5, "1", "v"}, "HSET k f 1 gg v"},
	{"stream of Redis 5", 10, append(append([]any{typeStream}, streamHead...), 2, 10, 7, 1, "g", 5, 1, 0, 0), "XADD k 5-1 f v;XADD k 10-0 g x h 7;XGROUP CREATE k g 5-1;XSETID k 10-7 ENTRIESADDED 2 MAXDELETEDID 0-0;XGROUP SETID k g 5-1 ENTRIESREAD 1"},
	{
		"stream of Redis 7.0", 10, append(append([]any{typeStream2}, streamHead...), 2, 10, 7, 5, 1, 5, 2, 3, 1, "g", 5, 1, 1,
			1, rawBytes("\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x01"+"\x07\x00\x00\x00\x00\x00\x00\x00"), 4,
			1, "c", rawBytes("\x08\x00\x00\x00\x00\x00\x00\x00"), 1, rawBytes("\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x01")),
		"XADD k 5-1 f v;XADD k 10-0 g x h 7;XGROUP CREATE k g 5-1;XGROUP CREATECONSUMER k g c;XCLAIM k g c 0 5-1 TIME 7 RETRYCOUNT 4 FORCE JUSTID;XSETID k 10-7 ENTRIESADDED 3 MAXDELETEDID 5-2;XGROUP SETID k g 5-1 ENTRIESREAD 1",
	},
}

type oldValue struct {
	name    string
	version int
	parts   []any // the type first
	want    string
}

func (o oldValue) value() []byte { return parts(byte(o.parts[0].(int)), o.parts[1:]...) }

func TestOldForms(t *testing.T) {
	for _, old := range oldValues {
		r := NewReader(old.value())
		r.Version = old.version
		r.Templates = map[uint64][][]byte{5: {[]byte("f"), []byte("gg")}}
		o, err := r.Value(r.Byte())
		if err != nil || r.pos != len(r.buf) {
			t.Errorf("%s: %v after %d of %d bytes", old.name, err, r.pos, len(r.buf))
			continue
		}
		var lines []string
		o.Rebuild([]byte("k"), func(args ...[]byte) { lines = append(lines, string(bytes.Join(args, []byte(" ")))) })
		if got := strings.Join(lines, ";"); got != old.want {
			t.Errorf("%s: %s\nwant %s", old.name, got, old.want)
		}
	}
}

func TestEmptyValues(t *testing.T) {
	for _, b := range [][]byte{
		parts(typeList, 0), parts(typeSet, 0), parts(typeHash, 0), parts(typeZSet2, 0), parts(typeListQuicklist2, 0), parts(typeListZiplist, zl()),
		parts(typeSetListpack, lp()), parts(typeHashListpack, lp()), parts(typeZSetListpack, lp()), parts(typeListQuicklist2, 1, 2, lp()),
		parts(typeHashZipmap, []byte{0, zipEnd}), parts(typeSetIntset, []byte("\x02\x00\x00\x00\x00\x00\x00\x00")),
	} {
		r := NewReader(append(b, "next"...))
		if _, err := r.Value(r.Byte()); err != ErrEmpty || !errors.Is(err, ErrFormat) || string(r.next(4)) != "next" {
			t.Errorf("%x: %v", b, err)
		}
	}
}

// TestBadValues are wrong, each in one place.
func TestBadValues(t *testing.T) {
	short := func(b []byte) []byte { return b[:len(b)-1] }
	count := func(b []byte, n byte) []byte {
		b = slices.Clone(b)
		b[4] = n
		return b
	}
	zlCount := func(b []byte, n byte) []byte {
		b[8] = n
		return b
	}
	for name, b := range map[string][]byte{
		"a type that there is not":          parts(8, "x"),
		"a member twice":                    parts(typeSet, 2, "a", "a"),
		"a member of a listpack twice":      parts(typeSetListpack, lp("a", "b", "a")),
		"an intset without order":           parts(typeSetIntset, []byte("\x02\x00\x00\x00\x02\x00\x00\x00\x05\x00\x04\x00")),
		"an intset of another width":        parts(typeSetIntset, []byte("\x03\x00\x00\x00\x01\x00\x00\x00\x05\x00\x04")),
		"an intset that is too short":       parts(typeSetIntset, []byte("\x02\x00\x00\x00\x02\x00\x00\x00\x05\x00")),
		"a field twice":                     parts(typeHash, 2, "f", "1", "f", "2"),
		"a field of a zipmap twice":         parts(typeHashZipmap, zm("f", "1", "f", "2")),
		"a name without a value":            parts(typeHashListpack, lp("f", "v", "g")),
		"no score":                          parts(typeZSetListpack, lp("a", "1", "b")),
		"a score that is none":              parts(typeZSetListpack, lp("a", "x")),
		"NaN":                               parts(typeZSet2, 1, "a", math.NaN()),
		"NaN as text":                       parts(typeZSetListpack, lp("a", "nan")),
		"a scored member twice":             parts(typeZSet2, 2, "a", 1.0, "a", 1.0),
		"a listpack without its end":        parts(typeSetListpack, short(lp("a"))),
		"a listpack with too few elements":  parts(typeSetListpack, count(lp("a", "b"), 1)),
		"a listpack with too many elements": parts(typeSetListpack, count(lp("a", "b"), 3)),
		"a ziplist without its end":         parts(typeListZiplist, short(zl("a"))),
		"a ziplist with too few elements":   parts(typeListZiplist, zlCount(zl("a", "b"), 1)),
		"a kind of node that there is not":  parts(typeListQuicklist2, 1, 3, lp("a")),
		"an empty node":                     parts(typeListQuicklist2, 1, 2, ""),
		"more elements than bytes":          parts(typeList, 1000, "a"),
		"a length of a length":              {typeString, 0x82, 1, 2, 3, 4},
		"an encoding that there is not":     {typeString, 0xc4, 1},
		"a compressed length":               {typeString, 0xc3, 0xc0, 1, 1, 1},
		"a compressed string that is short": {typeString, 0xc3, 2, 5, 0, 'a'},
		"a compressed string from before":   {typeString, 0xc3, 2, 3, 0x20, 0},
		"a time that is too late":           parts(typeHashPackTTL, 1.5, lp("f", "v", "281474976710656")),
		"a time that is none":               parts(typeHashPackTTL, 1.5, lp("f", "v", "soon")),
		"a field without a time":            parts(typeHashPackTTL, 1.5, lp("f", "v")),
		"names without order":               parts(typeHashTemplate, 1, 2, "gg", "f", "1", "v"),
		"a name twice":                      parts(typeHashTemplateLP, 0, lp("f", "f"), lp("1", "1", "2")),
		"a value too few":                   parts(typeHashTemplateLP, 0, lp("f", "g"), lp("1", "1")),
		"a value too many":                  parts(typeHashTemplateLP, 0, lp("f", "g"), lp("1", "1", "2", "3")),
		"names that there are not":          parts(typeHashTemplateID, lp("6", "1", "2")),
		"another module":                    append(appendLength([]byte{typeModule}, moduleID("timeserie", 1)), parts(moduleString, "{}", 0)...),
		"a document that is none":           append(appendLength([]byte{typeModule}, moduleID(jsonName, jsonVersion)), parts(moduleString, "{", 0)...),
		"a vector set of another version":   vsetParts(1, 2, 1, 0x1001, 0),
		"a vector without components":       vsetParts(0, 0, 0, 0x1001, 0),
		"a quantisation that there is not":  vsetParts(0, 2, 1, 0x1003, 0),
		"a projection to more components":   vsetParts(0, 2, 1, 0x1001, 1, 1, "12345678"),
		"another projection":                vsetParts(0, 1, 1, 0x1001, 1, 1, "1234", "e", "\x7f", 4, 1, 0, 0, 32, 0),
		"a row that is too long":            vsetParts(0, 1, 1, 0x1001, 0, "e", "\x7f\x7f", 5, 1, 0, 0, 32, 0),
		"a component that there is not":     vsetParts(0, 1, 1, 0x1001, 0, "e", "\x80", 5, 1, 0, 0, 32, 0),
		"a long component of a unit vector": vsetParts(0, 1, 1, 0x1000, 0, "e", "\x00\x00\x80\x41", 5, 1, 0, 0, 32, 0),
		"bits behind the last":              vsetParts(0, 1, 1, 0x1002, 0, "e", "\x03\x00\x00\x00\x00\x00\x00\x00", 5, 1, 0, 0, 32, 0),
		"an element twice":                  vsetParts(0, 1, 2, 0x1001, 0, "e", "\x7f", 5, 1, 0, 0, 32, 0, "e", "\x7f", 5, 2, 0, 0, 32, 0),
		"a level that is too high":          vsetParts(0, 1, 1, 0x1001, 0, "e", "\x7f", 5, 1, 16, 0, 32, 0),
		"more links than there may be":      vsetParts(0, 1, 1, 0x1001, 0, "e", "\x7f", 5, 1, 0, 1, 0, 5, 0),
		"fewer numbers than said":           vsetParts(0, 1, 1, 0x1001, 0, "e", "\x7f", 4, 1, 0, 0, 32, 0),
		"more numbers than said":            vsetParts(0, 1, 1, 0x1001, 0, "e", "\x7f", 6, 1, 0, 0, 32, 0, 0),
		"an ID of another length":           parts(typeStream3, 1, "short", lp("1"), 0, 0, 0, 0, 0, 0, 0, 0, 0),
		"a length that is not the stream's": parts(typeStream3, append(slices.Clone(streamHead), 3, 10, 7, 5, 1, 0, 0, 3, 0)...),
		"a last ID that is too small":       parts(typeStream3, append(slices.Clone(streamHead), 2, 9, 7, 5, 1, 0, 0, 3, 0)...),
		"more entries than ever":            parts(typeStream3, append(slices.Clone(streamHead), 2, 10, 7, 5, 1, 0, 0, 1, 0)...),
		"a group twice":                     parts(typeStream3, append(slices.Clone(streamHead), 2, 10, 7, 5, 1, 0, 0, 3, 2, "g", 0, 0, 0, 0, 0, "g", 0, 0, 0, 0, 0)...),
		"entries read that never were":      parts(typeStream3, append(slices.Clone(streamHead), 2, 10, 7, 5, 1, 0, 0, 3, 1, "g", 0, 0, 4, 0, 0)...),
		"pending for nobody":                parts(typeStream3, append(slices.Clone(streamHead), 2, 10, 7, 5, 1, 0, 0, 3, 1, "g", 0, 0, 0, 1, rawBytes(make([]byte, 24)), 1, 0)...),
		"pending of nobody knows":           parts(typeStream3, append(slices.Clone(streamHead), 2, 10, 7, 5, 1, 0, 0, 3, 1, "g", 0, 0, 0, 0, 1, "c", rawBytes(make([]byte, 16)), 1, rawBytes(make([]byte, 16)))...),
		"blocks without order":              parts(typeStream3, append(append([]any{2}, append(slices.Clone(streamHead[1:]), streamHead[1:]...)...), 4, 10, 7, 5, 1, 0, 0, 4, 0)...),
	} {
		r := NewReader(b)
		if o, err := r.Value(r.Byte()); err == nil {
			t.Errorf("%s: became %s", name, text(o))
		}
	}
}

// vsetParts is a vector set of numbers and texts.
func vsetParts(version uint64, all ...any) []byte {
	b := appendLength([]byte{typeModule}, moduleID(vsetName, version))
	for _, x := range all {
		switch x := x.(type) {
		case int:
			b = appendLength(append(b, moduleUnsigned), uint64(x))
		case string:
			b = append(appendLength(append(b, moduleString), uint64(len(x))), x...)
		}
	}
	return append(b, moduleEnd)
}

// TestVSetOfOneElement holds the form that the wrong ones in TestBadValues depart
// from.
func TestVSetOfOneElement(t *testing.T) {
	for name, b := range map[string][]byte{
		"version 0":         vsetParts(0, 1, 1, 0x1001, 0, "e", "\x7f", 5, 1, 0, 0, 32, 0),
		"the farthest":      vsetParts(0, 1, 1, 0x1001, 0, "e", "\x7f", 6, 1, 1<<24, 0, 32, 0, 0),
		"M is not told":     vsetParts(0, 1, 1, 1, 0, "e", "\x7f", 5, 1, 0, 0, 32, 0),
		"projected":         vsetParts(0, 1, 1, 0x1001, 1, 1, "\x00\x00\x80\x3f", "e", "\x7f", 5, 1, 0, 0, 32, 0),
		"attributes":        vsetParts(0, 1, 1, 0x1001, 2, "e", "{}", "\x7f", 5, 1, 0, 0, 32, 0),
		"several levels":    vsetParts(0, 1, 1, 0x1000, 0, "e", "\x00\x00\x80\x3f", 9, 1, 2, 0, 32, 0, 16, 0, 16, 0),
		"links are ignored": vsetParts(0, 1, 1, 0x1002, 0, "e", "\x01\x00\x00\x00\x00\x00\x00\x00", 6, 1, 0, 1, 32, 77, 0),
	} {
		r := NewReader(b)
		if o, err := r.Value(r.Byte()); err != nil || o.(*vset.Value).Len() != 1 || r.pos != len(b) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLengthsAreNotBelieved reads values that say they are huge.
func TestLengthsAreNotBelieved(t *testing.T) {
	huge := []byte{length32, 0x1f, 0xff, 0xff, 0xff}
	for name, b := range map[string][]byte{
		"string":  append([]byte{typeString}, huge...),
		"list":    append([]byte{typeList}, huge...),
		"set":     append([]byte{typeSet}, huge...),
		"hash":    append([]byte{typeHash}, huge...),
		"zset":    append([]byte{typeZSet2}, huge...),
		"stream":  append([]byte{typeStream3}, huge...),
		"packed":  append(append([]byte{typeString, 0xc3, 10}, huge...), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"names":   append([]byte{typeHashTemplate, 1}, huge...),
		"a group": append(parts(typeStream3, append(slices.Clone(streamHead), 2, 10, 7, 5, 1, 0, 0, 3, 1, "g", 0, 0, 0)...), huge...),
	} {
		for _, stream := range []bool{false, true} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := NewReader(b)
			if stream {
				r = NewStreamReader(bytes.NewReader(b))
			}
			_, err := r.Value(r.Byte())
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; err == nil || n > 3<<20 {
				t.Errorf("%s: %v, %d bytes of memory", name, err, n)
			}
		}
	}
}

func TestFooter(t *testing.T) {
	good, err := Dump(nil, str.Copy([]byte("value")))
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, want error, change func(b []byte) []byte) {
		t.Helper()
		if _, err := Restore(change(slices.Clone(good))); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	at := len(good)
	f("as it is", nil, func(b []byte) []byte { return b })
	f("without a checksum", ErrChecksum, func(b []byte) []byte { return append(b[:at-8], make([]byte, 8)...) })
	f("another checksum", ErrChecksum, func(b []byte) []byte { b[at-1]++; return b })
	f("another value", ErrChecksum, func(b []byte) []byte { b[2]++; return b })
	f("short", ErrChecksum, func(b []byte) []byte { return b[:9] })
	for version, want := range map[int]error{1: nil, 15: nil, 16: ErrChecksum, 79: ErrChecksum, 80: nil, 90: ErrChecksum} {
		f(fmt.Sprint("version ", version), want, func(b []byte) []byte {
			b[at-10] = byte(version)
			return binary.LittleEndian.AppendUint64(b[:at-8], Checksum(0, b[:at-8]))
		})
	}
}

// TestPayloadsOfRedis reads what Redis 8.10.2 answered to DUMP.
func TestPayloadsOfRedis(t *testing.T) {
	f := func(payload, want string) {
		t.Helper()
		b, err := hex.DecodeString(payload)
		if err != nil {
			t.Fatal(err)
		}
		o, err := Restore(b)
		if err != nil {
			t.Errorf("%s: %v", want, err)
			return
		}
		var lines []string
		o.Rebuild([]byte("k"), func(args ...[]byte) { lines = append(lines, string(bytes.Join(args, []byte(" ")))) })
		if got := strings.Join(lines, ";"); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	f("00c139300f0086108f2b3d50f541",
		"SET k 12345")
	f("00c31340580b636f6d707265737365642063e0410a0164200f00193885bf9c89fa80",
		"SET k "+strings.Repeat("compressed ", 8))
	f("120102c31e4078167800000004008161020101f290eefe04e0646c6f6e6720e056040166ff0f00e7b9e5589c99aad3",
		"RPUSH k a 1 -70000 "+strings.Repeat("long ", 20))
	f("120201c340666008017878e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e0ff00e00300017878020a0a0000000100816202ff0f00f7327890bbd855a6",
		"RPUSH k "+strings.Repeat("x", 8200)+" b")
	f("0b2008000000030000000100000000000000701101000000000000f2052a010000000f003a6ad4a7445b2726",
		"SADD k 1 70000 5000000000")
	f("140f0f00000003008161020101816202ff0f002cb80f3828f45b2b",
		"SADD k a 1 b")
	f("0201c3094046017979e039000179790f000b03198ff66efa6c",
		"SADD k "+strings.Repeat("y", 70))
	f("111d1d0000000600816302842d696e660581610283312e35048162020201ff0f000c588c1616ef9171",
		"ZADD k -inf c 1.5 a 2 b")
	f("0501c3094046017a7ae03900017a7a9a9999999999b93f0f0094dc053de88a146e",
		"ZADD k 0.1 "+strings.Repeat("z", 70))
	f("1012120000000400816602817602816e021101ff0f00ba04b8ae9bbcb8c3",
		"HSET k f v n 17")
	f("04010166c3094046017777e039000177770f003976c15827b79aac",
		"HSET k f "+strings.Repeat("w", 70))
	f("1d00121200000002008361676504846e616d6505ff0f0f00000003000001160182763103ff0f0051ffbb676e92aa18",
		"HSET k age 22 name v1")
	f("1f00121200000002008361676504846e616d6505ffc016c3094046017676e039000176760f0025bd742b32986a7d",
		"HSET k age 22 name "+strings.Repeat("v", 70))
	f("1b011000000000000000010000000000000001c3404e40550755000000200004014000078166020001020100200105817602040103200820150077200a40084003058167020701062024402601817820190b0201f4fe9f724e18090000092012007a201200ff0481000009184e729fff010101010205010167020181ffffffffffffffff0300000000000000010000000000000001e8030000000000000100000000000000020000000000000001d0070000000000000500000000000000030000000000000001000000000000000001020163861b492aa2010000861b492aa201000001000000000000000100000000000000010164891b492aa2010000891b492aa20100000100000000000000020000000000000001010000000000000003000000000000000140640501017001016981000009184e729fff0101000f00bab4a8e86f998902",
		"XADD k 1-1 f v;XADD k 2-1 g 7;XADD k 3-1 f x;XADD k 9999999999999-1 f z;XGROUP CREATE k g 2-1;XGROUP CREATECONSUMER k g c;XGROUP CREATECONSUMER k g d;"+
			"XNACK k g SILENT IDS 1 3-1 RETRYCOUNT 1 FORCE;XCLAIM k g c 0 1-1 TIME 1000 RETRYCOUNT 1 FORCE JUSTID;XCLAIM k g d 0 2-1 TIME 2000 RETRYCOUNT 5 FORCE JUSTID;"+
			"XSETID k 9999999999999-1 ENTRIESADDED 5 MAXDELETEDID 1-2;XGROUP SETID k g 2-1 ENTRIESREAD -1;XCFGSET k IDMP-DURATION 100 IDMP-MAXSIZE 5;XIDMPRECORD k p i 9999999999999-1")
	f("0781bde72da2bb1eb400020202020250010202050162050005027f000210020202800100000302010220020102813ecd9b380000000002000210020002000210020002000210020002813f8000003f80000005016105077b2278223a317d05025f7f0207020102800100000002010220020202813ecd9b380000000002813f4ccccd40a00000000f003aff470abf114658",
		"VADD k RAW \x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\xa0@\xcd\xccL?_\x7f a Q8 M 16 SETATTR {\"x\":1};VADD k RAW \x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80?\x00\x00\x80?\x7f\x00 b Q8 M 16")
	f("0781bde72da2bb1eb40002010201025000020102020508f304353ff304353f05016105040000803f0206020102800100000002000220020002813f64f92e409e6454000f009db60bc68855686e",
		"VADD k RAW \x01\x00\x00\x00\x02\x00\x00\x00Td\x9e@\x00\x00\x00\x00\x00\x00\x80? a NOQUANT M 16")
}

// TestSuggestionsOfRediSearch reads the forms that its versions write, and nothing else.
func TestSuggestionsOfRediSearch(t *testing.T) {
	form := func(version uint64, all ...any) []byte {
		b := appendLength([]byte{typeModule}, moduleID(sugName, version))
		for _, x := range all {
			switch x := x.(type) {
			case int:
				b = appendLength(append(b, moduleUnsigned), uint64(x))
			case float64:
				b = binary.LittleEndian.AppendUint64(append(b, moduleDouble), math.Float64bits(x))
			case string:
				b = append(appendLength(append(b, moduleString), uint64(len(x))), x...)
			}
		}
		return append(b, moduleEnd)
	}
	for _, b := range [][]byte{
		form(0, 2, "hello\x00", 1.5, "Help\x00", 2.0),
		form(1, 2, "hello\x00", 1.5, "\x00", "Help\x00", 2.0, "a\x00b\x00"),
		form(2, 2, "hello\x00", 1.5, "\x00", 0, "Help\x00", 2.0, "a\x00b\x00", 7),
	} {
		r := NewReader(b)
		o, err := r.Value(r.Byte())
		if err != nil || o.(*sug.Value).Len() != 2 || r.pos != len(b) {
			t.Errorf("%q: %v", b, err)
		}
	}
	for name, b := range map[string][]byte{
		"none":              form(1, 0),
		"more than said":    form(1, 1, "a\x00", 1.0, "\x00", "b\x00", 1.0, "\x00"),
		"fewer than said":   form(1, 1<<40, "a\x00", 1.0, "\x00"),
		"no zero byte":      form(1, 1, "a", 1.0, "\x00"),
		"an empty text":     form(1, 1, "\x00", 1.0, "\x00"),
		"no number":         form(1, 1, "a\x00", math.NaN(), "\x00"),
		"a later version":   form(3, 1, "a\x00", 1.0, "\x00", 0),
		"an integer's form": form(1, 1, "a\x00", 1, "\x00"),
	} {
		r := NewReader(b)
		if o, err := r.Value(r.Byte()); err == nil {
			t.Errorf("%s: became %s", name, text(o))
		}
	}
}
