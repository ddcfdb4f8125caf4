package hotkeys

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

func keys(names ...string) func(func([]byte)) {
	return func(f func([]byte)) {
		for _, n := range names {
			f([]byte(n))
		}
	}
}

// TestTopFindsHeavyKeys compares with exact counts: a key above the bound is
// never missed, and no weight is more than was added.
func TestTopFindsHeavyKeys(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	z := rand.NewZipf(r, 1.2, 1, 100_000)
	x := newTop(10)
	want := map[string]uint64{}
	total := uint64(0)
	for range 200_000 {
		key, w := fmt.Sprint("k", z.Uint64()), 1+r.Uint64N(20)
		x.add([]byte(key), w)
		want[key] += w
		total += w
	}
	if x.total != total || len(x.counters) != 10*countersPer || len(x.at) != len(x.counters) {
		t.Fatalf("total %d of %d, %d counters, %d known", x.total, total, len(x.counters), len(x.at))
	}
	bytes := 0
	for _, c := range x.counters {
		bytes += counterBytes + len(c.key)
	}
	if bytes != x.bytes {
		t.Errorf("%d bytes, %d there", x.bytes, bytes)
	}
	got := x.first(10)
	for i, k := range got {
		if k.Weight > want[k.Name] || i > 0 && k.Weight > got[i-1].Weight {
			t.Errorf("%s weighs %d, really %d, after %d", k.Name, k.Weight, want[k.Name], got[max(0, i-1)].Weight)
		}
	}
	for i := range 5 {
		if name := fmt.Sprint("k", i); got[i].Name != name || got[i].Weight < want[name]*9/10 {
			t.Errorf("number %d is %v, want %s of %d", i, got[i], name, want[name])
		}
	}
	for key, n := range want {
		if n > total/uint64(len(x.counters)) && x.at[key] == nil {
			t.Errorf("%s of %d is missed", key, n)
		}
	}
}

func TestTopCountsNoHugeKeysAndNothing(t *testing.T) {
	t.Parallel()
	x := newTop(1)
	x.add(make([]byte, maxKey+1), 5)
	x.add([]byte("k"), 0)
	if len(x.first(5)) != 0 || x.total != 5 {
		t.Errorf("%v, total %d", x.first(5), x.total)
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	var tr Tracker
	if tr.Active() != nil || tr.Stop(1) || !tr.Reset() {
		t.Fatal("a tracker that was never started")
	}
	if _, ok := tr.Report(1); ok {
		t.Fatal("a report of nothing")
	}
	if !tr.Start(Options{Metrics: CPU | Net, Count: 2, Sample: 1}, 100) || tr.Start(Options{Metrics: CPU, Count: 1}, 100) {
		t.Fatal("start")
	}
	tr.Active().Command(keys("a", "b"), 11, 100)
	tr.Active().Command(keys("b"), 3, 10)
	tr.Active().Command(keys("c"), 1, 1)
	tr.Active().Command(keys(), 1000, 1000)
	if tr.Reset() {
		t.Error("reset while active")
	}
	r, ok := tr.Report(150)
	if !ok || !r.Active || r.Lasted != 50 || r.Time != 15 || r.Bytes != 111 || r.NetTotal != 111 {
		t.Fatalf("%+v, %t", r, ok)
	}
	if !slices.Equal(r.ByTime, []Key{{"b", 8}, {"a", 5}}) || !slices.Equal(r.ByBytes, []Key{{"b", 60}, {"a", 50}}) {
		t.Errorf("%v, %v", r.ByTime, r.ByBytes)
	}
	if tr.Bytes() == 0 {
		t.Error("no memory is counted")
	}
	if !tr.Stop(200) || tr.Stop(201) || tr.Active() != nil {
		t.Error("stop")
	}
	if r, _ := tr.Report(500); r.Active || r.Lasted != 100 {
		t.Errorf("stopped: %+v", r)
	}
	if !tr.Reset() || tr.Bytes() != 0 {
		t.Error("reset")
	}
}

func TestSessionEndsByItself(t *testing.T) {
	t.Parallel()
	var tr Tracker
	tr.Start(Options{Metrics: Net, Count: 1, Duration: 1000}, 5000)
	tr.Tick(5999)
	if tr.Active() == nil {
		t.Fatal("ended early")
	}
	if r, _ := tr.Report(6100); r.Active || r.Lasted != 1100 || r.ByTime != nil {
		t.Errorf("%+v", r)
	}
	if !tr.Start(Options{Metrics: CPU, Count: 1}, 7000) {
		t.Error("no other session begins")
	}
}

func TestSamplingCountsEveryCommandOnce(t *testing.T) {
	t.Parallel()
	var tr Tracker
	tr.Start(Options{Metrics: Net, Count: 1, Sample: 10}, 0)
	for range 10_000 {
		tr.Active().Command(keys("k"), 1, 1)
	}
	r, _ := tr.Report(1)
	if r.Bytes != 10_000 || r.NetTotal < 700 || r.NetTotal > 1400 || r.ByBytes[0].Weight != r.NetTotal {
		t.Errorf("%+v", r)
	}
}

// TestCommandsWhileReporting races commands, reports and restarts.
func TestCommandsWhileReporting(t *testing.T) {
	t.Parallel()
	var tr Tracker
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() {
			for i := range 2000 {
				if s := tr.Active(); s != nil {
					s.Command(keys(fmt.Sprint(g, i%100)), 1, 1)
				}
			}
		})
	}
	for i := range int64(200) {
		tr.Start(Options{Metrics: CPU | Net, Count: 1}, i)
		tr.Report(i)
		tr.Bytes()
		tr.Stop(i)
		tr.Reset()
	}
	wg.Wait()
}
