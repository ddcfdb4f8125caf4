package slot

import "testing"

// TestReclaimLeavesWhatIsRetiredWhileItAsks has a slot taken, seen by an operation and retired as soon as Reclaim was
// told that no operation runs: that does not hold for this slot.
func TestReclaimLeavesWhatIsRetiredWhileItAsks(t *testing.T) {
	p := Pool[int]{New: func() int { return 0 }}
	recycled := 0
	a := Alloc{
		Grow:    func(int) error { return nil },
		Recycle: func(uint32) { recycled++ },
		Empty:   func() { t.Error("emptied while an operation holds a slot") },
	}
	a.Reclaim(func() uint64 {
		oldest := p.Oldest()
		if a.mu.TryLock() { // others can change what there is, and do
			a.mu.Unlock()
			s, err := a.Take(p.Oldest)
			if err != nil {
				t.Fatal(err)
			}
			p.Enter()
			a.Retire(p.Retire(), s)
		}
		return oldest
	})
	if recycled > 0 {
		t.Error("a slot was given free that an operation holds")
	}
}
