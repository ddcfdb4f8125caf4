package list

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/store/object"
)

var _ object.Packable = (*Value)(nil)

func TestEntriesReadBackFromBothSides(t *testing.T) {
	var elems [][]byte
	for _, n := range []int64{0, 1, 127, 128, 4095, 4096, -1, -4096, -4097, 32767, -32768, 32768, 1<<23 - 1, -1 << 23, 1 << 23, 1<<31 - 1, -1 << 31, 1 << 31, 1<<63 - 1, -1 << 63} {
		elems = append(elems, strconv.AppendInt(nil, n, 10))
	}
	for _, n := range []int{0, 1, 62, 63, 64, 124, 125, 126, 127, 128, 4093, 4094, 4095, 4096, 4097, 16378, 16379, 16380, 16381, 16382, 16383, 16384, 70000, 2097150} {
		elems = append(elems, bytes.Repeat([]byte("x"), n))
	}
	var b []byte
	var offs []int
	for _, x := range elems {
		offs = append(offs, len(b))
		from := len(b)
		b = appendEntry(b, x)
		if len(b)-from != entryLen(x) {
			t.Errorf("%.20q of %d: entryLen %d, is %d", x, len(x), entryLen(x), len(b)-from)
		}
	}
	off := 0
	for i, x := range elems {
		if off != offs[i] || string(elementAt(b, off, nil)) != string(x) {
			t.Fatalf("element %d at %d", i, off)
		}
		e := Sought(x)
		if !e.isAt(b, off) {
			t.Errorf("element %d is not itself", i)
		}
		off = entryAfter(b, off)
	}
	for i := len(elems) - 1; i >= 0; i-- {
		if off = entryBefore(b, off); off != offs[i] {
			t.Fatalf("element %d backwards at %d, want %d", i, off, offs[i])
		}
	}
}

// check holds v against the plain slice that it should equal.
func check(t *testing.T, v *Value, want []string, what string) {
	t.Helper()
	if v.Len() != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, v.Len(), len(want))
	}
	i := 0
	for it := v.From(Head, 0); it.Next(); i++ {
		if string(it.Bytes()) != want[i] {
			t.Fatalf("%s: element %d is %.30q, want %.30q", what, i, it.Bytes(), want[i])
		}
	}
	if i != len(want) {
		t.Fatalf("%s: the walk ends at %d of %d", what, i, len(want))
	}
	for it := v.From(Tail, 0); it.Next(); {
		i--
		if string(it.Bytes()) != want[i] {
			t.Fatalf("%s: element %d from the tail is %.30q", what, i, it.Bytes())
		}
	}
	if i != 0 {
		t.Fatalf("%s: the walk back ends at %d", what, i)
	}
	size, n := len(v.spare), 0
	for _, ch := range v.dir {
		m := 0
		size += chunkSize
		if len(ch.nodes) == 0 || len(ch.nodes) > maxNodes {
			t.Fatalf("%s: a chunk of %d nodes", what, len(ch.nodes))
		}
		for i := range ch.nodes {
			x := &ch.nodes[i]
			size += nodeSize + cap(x.buf)
			m += x.n
			if x.n == 0 {
				t.Fatalf("%s: an empty node", what)
			}
		}
		if m != ch.n {
			t.Fatalf("%s: a chunk counts %d, has %d", what, ch.n, m)
		}
		n += m
	}
	if v.dir != nil && n != v.n || size != v.bytes {
		t.Fatalf("%s: counts %d, %d bytes; has %d, %d bytes", what, v.n, v.bytes, n, size)
	}
}

func TestListsAgreeWithSlices(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 1))
			longest := []int{6, 40, 200, 3000, 20000}[seed%5]
			steps := 1500
			if longest > 1000 {
				steps = 300
			}
			elem := func() string {
				if rng.IntN(3) == 0 {
					return strconv.Itoa(rng.IntN(1 << rng.IntN(40)))
				}
				return strings.Repeat(string('a'+rune(rng.IntN(3))), rng.IntN(longest+1))
			}
			v, want := New(), []string{}
			packed := true
			other, otherWant := New(), []string{} // a copy, or of what v is a copy
			for step := range steps {
				what := ""
				switch k := rng.IntN(12); {
				case k < 5:
					n := 1 + rng.IntN(30)
					end := End(rng.IntN(2))
					all := 0
					var xs []string
					for range n {
						xs = append(xs, elem())
						all += len(xs[len(xs)-1])
					}
					v.Grow(all)
					for _, x := range xs {
						v.Push(end, []byte(x))
						if end == Head {
							want = slices.Insert(want, 0, x)
						} else {
							want = append(want, x)
						}
					}
					what = fmt.Sprint("push ", end, " ", n)
				case k < 7:
					end, n := End(rng.IntN(2)), rng.IntN(60)
					if rng.IntN(20) == 0 {
						n = len(want) * 3 / 4
					}
					v.Cut(end, n)
					n = min(n, len(want))
					if end == Head {
						want = want[n:]
					} else {
						want = want[:len(want)-n]
					}
					v.Shrunk()
					what = fmt.Sprint("cut ", end, " ", n)
				case len(want) == 0:
				case k < 9:
					i, x := rng.IntN(len(want)), elem()
					v.Grow(len(x))
					v.Set(i, []byte(x))
					want[i] = x
					v.Shrunk()
					what = fmt.Sprint("set ", i, " ", len(x))
				case k < 11:
					i, x, after := rng.IntN(len(want)), elem(), rng.IntN(2) == 0
					v.Grow(len(x))
					v.Insert(i, after, []byte(x))
					if after {
						i++
					}
					want = slices.Insert(want, i, x)
					what = fmt.Sprint("insert ", i, " ", len(x))
				default:
					x, end, n := want[rng.IntN(len(want))], End(rng.IntN(2)), rng.IntN(4)
					got := v.Remove(end, []byte(x), n)
					left := n
					if n == 0 {
						left = len(want)
					}
					removed := 0
					if end == Tail {
						slices.Reverse(want)
					}
					want = slices.DeleteFunc(want, func(s string) bool {
						if s == x && removed < left {
							removed++
							return true
						}
						return false
					})
					if end == Tail {
						slices.Reverse(want)
					}
					if got != removed {
						t.Fatalf("removed %d, want %d", got, removed)
					}
					v.Shrunk()
					what = fmt.Sprint("remove ", end, " ", n)
				}
				check(t, v, want, fmt.Sprintf("step %d, %s", step, what))
				if len(want) > 0 {
					i := rng.IntN(len(want))
					it := v.From(Head, i)
					it.Next()
					jt := v.From(Tail, len(want)-1-i)
					jt.Next()
					if string(it.Bytes()) != want[i] || string(jt.Bytes()) != want[i] {
						t.Fatalf("step %d: element %d is %.20q and %.20q, want %.20q", step, i, it.Bytes(), jt.Bytes(), want[i])
					}
					x := want[rng.IntN(len(want))]
					if got := v.Find([]byte(x)); got != slices.Index(want, x) {
						t.Fatalf("find %.20q: %d", x, got)
					}
				}
				if b, ok := v.Pack(); ok {
					if !packed {
						t.Fatal("a list that was too large for packing packs again")
					}
					if len(b) > maxSmall {
						t.Fatalf("packed in %d bytes", len(b))
					}
					v.Unpack(append(make([]byte, 0, len(b)+rng.IntN(50)), b...))
					check(t, v, want, "unpacked")
				} else {
					packed = false
				}
				if step%97 == 0 {
					check(t, other, otherWant, "the one that did not change")
					c := v.Clone().(*Value)
					check(t, c, want, "clone")
					c.Push(Head, []byte("only here"))
					check(t, v, want, "after a change of the clone")
					c.Cut(Head, 1)
					if other, otherWant = c, slices.Clone(want); rng.IntN(2) == 0 {
						v, other = c, v
					}
					r := New()
					v.Rebuild([]byte("key"), func(args ...[]byte) {
						if string(args[0]) != "RPUSH" || string(args[1]) != "key" || len(args) < 3 {
							t.Fatalf("rebuilt by %.100q", args)
						}
						for _, x := range args[2:] {
							r.Push(Tail, x)
						}
					})
					check(t, r, want, "rebuilt")
				}
			}
		})
	}
}

func TestManyShortElementsInOnePushStayAListpack(t *testing.T) {
	v := New()
	v.Grow(0)
	for range 20000 {
		v.Push(Tail, nil)
	}
	if v.Encoding() != "listpack" || v.Len() != 20000 {
		t.Error(v.Encoding(), v.Len())
	}
	if _, ok := v.Pack(); ok {
		t.Error("40 kB are packed")
	}
	v.Grow(1)
	v.Push(Tail, []byte("x"))
	if v.Encoding() != "quicklist" {
		t.Error(v.Encoding())
	}
}

func TestLongListsFindTheirMiddle(t *testing.T) {
	v := New()
	const n = 300_000
	for i := range n {
		x := strconv.AppendInt(make([]byte, 0, 24), int64(i), 10)
		v.Grow(len(x))
		v.Push(Tail, x)
	}
	for _, i := range []int{0, 1, n / 3, n / 2, n - 2, n - 1} {
		it := v.From(Head, i)
		it.Next()
		if string(it.Bytes()) != strconv.Itoa(i) {
			t.Errorf("element %d is %s", i, it.Bytes())
		}
	}
	if len(v.dir) < 1 || v.Size() > 6*n {
		t.Errorf("%d chunks, %d bytes", len(v.dir), v.Size())
	}
}

func TestReadingAndSmallChangesAllocateNothing(t *testing.T) {
	small, large := New(), New()
	for i := range 50 {
		small.Push(Tail, strconv.AppendInt(nil, int64(i*1000), 10))
	}
	for i := range 5000 {
		x := fmt.Appendf(nil, "element-%d", i)
		large.Grow(len(x))
		large.Push(Tail, x)
	}
	var sink [64]byte
	x := []byte("some-element")
	for _, v := range []*Value{small, large} {
		if n := testing.AllocsPerRun(100, func() {
			for it := v.From(Head, v.Len()/2); it.Next(); {
				copy(sink[:], it.Bytes())
			}
			v.Grow(len(x))
			v.Push(Head, x)
			v.Cut(Head, 1)
			v.Push(Tail, x)
			v.Cut(Tail, 1)
		}); n > 0.2 {
			t.Errorf("%s: %v allocations", v.Encoding(), n)
		}
	}
}
