package expire

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nearcache/nearcache/store/slab"
)

// owner is a wheel with records that are only numbers.
type owner struct {
	Wheel
	places map[slab.Ref]uint32
}

func newOwner(t testing.TB) *owner {
	t.Helper()
	a, err := slab.NewArena()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	o := &owner{places: map[slab.Ref]uint32{}}
	o.Init(o, a)
	return o
}

func (o *owner) held() int64 { return o.arena.Stats().Mapped }

func (o *owner) SetPlace(ref slab.Ref, place uint32) { o.places[ref] = place }

// validate compares the wheel with what its records say.
func (o *owner) validate(t testing.TB) {
	t.Helper()
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	if n := int64(len(o.blocks)) * blockSize; n != o.held() {
		t.Fatalf("blocks of %d bytes hold %d", n, o.held())
	}
	n := 0
	for ref, place := range o.places {
		if place != 0 {
			if n++; !o.Holds(ref, place) {
				t.Fatalf("reference %d is not where it thinks", ref)
			}
		}
	}
	if n != o.Len() {
		t.Fatalf("%d think they are filed, %d are", n, o.Len())
	}
}

// TestWheelHandsOutWhatIsDueInOrder compares with a sorted list, deadlines near
// and far, through many changes.
func TestWheelHandsOutWhatIsDueInOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 1))
			o := newOwner(t)
			now := int64(1_800_000_000_000)
			deadlines, overdue := map[slab.Ref]int64{}, map[slab.Ref]bool{}
			var live []slab.Ref
			reach := 1 + seed%7*6 // bits of the farthest deadline
			far := func() int64 { return now + 1 + rnd.Int64N(1<<(1+rnd.Uint64N(reach))) }
			next := slab.Ref(1)
			drop := func(i int) slab.Ref {
				ref := live[i]
				live[i] = live[len(live)-1]
				live = live[:len(live)-1]
				return ref
			}
			for step := range 6000 {
				grow := step/1500%2 == 0
				switch op := rnd.IntN(10); {
				case len(live) == 0 || op < 4 && grow || op < 1:
					ref := next * 7919
					next++
					at := far()
					if rnd.IntN(20) == 0 {
						at = now - rnd.Int64N(100)
					}
					o.Add(ref, at, now)
					deadlines[ref], overdue[ref] = at, at < o.Now()
					live = append(live, ref)
				case op < 6: // a new deadline
					ref := live[rnd.IntN(len(live))]
					at := far()
					if o.Late(o.places[ref], at) {
						o.Remove(ref, o.places[ref])
						o.Add(ref, at, now)
					}
					deadlines[ref] = at
				case op < 7:
					i := rnd.IntN(len(live))
					ref := next * 7919
					next++
					o.Move(live[i], ref, o.places[live[i]])
					o.places[ref], deadlines[ref], overdue[ref] = o.places[live[i]], deadlines[live[i]], overdue[live[i]]
					delete(deadlines, live[i])
					delete(o.places, live[i])
					live[i] = ref
				case op < 8:
					ref := drop(rnd.IntN(len(live)))
					o.Remove(ref, o.places[ref])
					delete(deadlines, ref)
					delete(o.places, ref)
				default:
					now += rnd.Int64N(1 << rnd.Uint64N(reach))
					for k := rnd.IntN(500); k > 0; k-- { // not always all
						soonest := o.Next()
						ref, ok := o.Pop(now)
						if !ok {
							break
						}
						at := deadlines[ref]
						if soonest > now || soonest > max(at, o.Now()) || o.Now() > now {
							t.Fatalf("step %d: at %d, next said %d, wheel is at %d: due at %d", step, now, soonest, o.Now(), at)
						}
						if at > o.Now() {
							o.Add(ref, at, o.Now())
							continue
						}
						if at != o.Now() && !overdue[ref] {
							t.Fatalf("step %d: %d comes out at %d", step, at, o.Now())
						}
						delete(deadlines, ref)
						drop(slices.Index(live, ref))
					}
				}
				if step%100 == 0 {
					o.validate(t)
				}
				if o.Len() != len(live) {
					t.Fatalf("step %d: %d filed, want %d", step, o.Len(), len(live))
				}
				if step%10 == 0 {
					o.Compact()
				}
			}
			o.validate(t)
			// In the end all comes out, the soonest first.
			slices.SortFunc(live, func(a, b slab.Ref) int { return cmp.Compare(deadlines[a], deadlines[b]) })
			var order []int64
			for o.Len() > 0 {
				ref, ok := o.Pop(1 << 62)
				if !ok {
					t.Fatal("nothing comes out")
				}
				if at := deadlines[ref]; at > o.Now() {
					o.Add(ref, at, o.Now())
				} else {
					order = append(order, max(at, now))
				}
			}
			if !slices.IsSorted(order) || len(order) != len(live) {
				t.Fatalf("%d of %d come out, in order: %t", len(order), len(live), slices.IsSorted(order))
			}
			o.validate(t)
		})
	}
}

// TestWheelGivesBlocksBack fills it, takes nearly all out at random, and compacts.
func TestWheelGivesBlocksBack(t *testing.T) {
	t.Parallel()
	o := newOwner(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	const n = 50_000
	refs := make([]slab.Ref, n)
	for i := range refs {
		refs[i] = slab.Ref(i + 1)
		o.Add(refs[i], 1+rnd.Int64N(1<<30), 0)
	}
	if per := float64(o.held()) / n; per > 6.5 {
		t.Errorf("%.1f bytes a reference", per)
	}
	rnd.Shuffle(n, func(i, j int) { refs[i], refs[j] = refs[j], refs[i] })
	for _, ref := range refs[n/20:] {
		o.Remove(ref, o.places[ref])
		delete(o.places, ref)
	}
	for o.Compact() {
	}
	o.validate(t)
	if per := float64(o.held()) / (n / 20); per > 30 {
		t.Errorf("%.1f bytes a reference of those that are left", per)
	}
	seen := map[slab.Ref]bool{}
	for range 100_000 {
		ref, ok := o.Random(rnd.Uint64)
		if !ok || o.places[ref] == 0 {
			t.Fatal("not one of them")
		}
		seen[ref] = true
	}
	if len(seen) < n/20*9/10 {
		t.Errorf("%d of %d are ever chosen", len(seen), n/20)
	}
	for _, ref := range refs[:n/20] {
		o.Remove(ref, o.places[ref])
		delete(o.places, ref)
	}
	o.validate(t)
	if _, ok := o.Random(rnd.Uint64); ok || o.held() > 2*blockSize {
		t.Errorf("an empty wheel holds %d bytes", o.held())
	}
}

// TestRefreshesDoNotPileUp refreshes the same few records for an hour.
func TestRefreshesDoNotPileUp(t *testing.T) {
	t.Parallel()
	o := newOwner(t)
	now := int64(1_800_000_000_000)
	deadlines := map[slab.Ref]int64{}
	for ref := slab.Ref(1); ref <= 1000; ref++ {
		deadlines[ref] = now + 60_000
		o.Add(ref, now+60_000, now)
	}
	popped := 0
	for range 3600 {
		now += 1000
		for ref := slab.Ref(1); ref <= 1000; ref++ {
			if deadlines[ref] = now + 60_000; o.Late(o.places[ref], now+60_000) {
				t.Fatal("a later deadline makes work")
			}
		}
		for {
			ref, ok := o.Pop(now)
			if !ok {
				break
			}
			popped++
			if deadlines[ref] <= o.Now() {
				t.Fatal("gone too early")
			}
			o.Add(ref, deadlines[ref], now)
		}
		if o.Len() != 1000 || o.held() > 3*blockSize {
			t.Fatalf("%d filed, %d bytes", o.Len(), o.held())
		}
	}
	if popped > 1000*3600/5 {
		t.Fatalf("%d moves for 3.6M refreshes", popped)
	}
}

func TestRewindIsForClocksThatAreSetBack(t *testing.T) {
	t.Parallel()
	o := newOwner(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	deadlines := map[slab.Ref]int64{}
	now := int64(1_800_000_000_000)
	for ref := slab.Ref(1); ref <= 5000; ref++ {
		deadlines[ref] = now + rnd.Int64N(100_000)
		o.Add(ref, deadlines[ref], now)
	}
	now += 50_000
	for ref, ok := o.Pop(now); ok; ref, ok = o.Pop(now) {
		if deadlines[ref] > o.Now() {
			o.Add(ref, deadlines[ref], o.Now())
		} else {
			delete(deadlines, ref)
			delete(o.places, ref)
		}
	}
	now -= 3600_000
	for ref := slab.Ref(5001); ref <= 6000; ref++ {
		deadlines[ref] = now + rnd.Int64N(1000)
		o.Add(ref, deadlines[ref], now)
	}
	if at := o.Next(); at <= now+1000 {
		t.Fatal("nothing would be late, the test says nothing")
	}
	o.Rewind(now, func(ref slab.Ref) int64 { return deadlines[ref] })
	o.validate(t)
	now += 1000
	gone := 0
	for ref, ok := o.Pop(now); ok; ref, ok = o.Pop(now) {
		if deadlines[ref] > o.Now() {
			o.Add(ref, deadlines[ref], o.Now())
			continue
		}
		if deadlines[ref] < o.Now() {
			t.Fatalf("due at %d, comes at %d", deadlines[ref], o.Now())
		}
		gone++
	}
	if gone != 1000 {
		t.Fatalf("%d of 1000 that are due", gone)
	}
}

func BenchmarkAddPop(b *testing.B) {
	o := newOwner(b)
	o.owner = nowhere{}
	rnd := rand.New(rand.NewPCG(1, 2))
	deadlines := make([]int64, 1<<20)
	now := int64(1_800_000_000_000)
	i := 0
	for b.Loop() {
		ref := i % len(deadlines)
		deadlines[ref] = now + rnd.Int64N(3600_000)
		o.Add(slab.Ref(ref+1), deadlines[ref], now)
		i++
		if i%len(deadlines) == 0 {
			for o.Len() > 0 {
				ref, _ := o.Pop(1 << 62)
				if deadlines[ref-1] > o.Now() {
					o.Add(ref, deadlines[ref-1], o.Now())
				}
			}
		}
	}
}

type nowhere struct{}

func (nowhere) SetPlace(slab.Ref, uint32) {}
