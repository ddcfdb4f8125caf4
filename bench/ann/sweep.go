package ann

import (
	"fmt"
	"runtime/debug"
	"slices"
)

// sweep builds all engines and then lets them take turns, A B C C B A, at each
// pool size, in rounds.
func sweep(o *options, s *set, engines []engine, r *result) error {
	single(o, true, engines)
	defer single(o, false, engines)
	turns := make([][]int, 0, len(o.efs))
	for _, ef := range o.efs {
		turns = append(turns, slices.Repeat([]int{ef}, len(engines)))
	}
	for i, e := range engines {
		out := r.Engines[i]
		var err error
		if out.Build, err = e.build(s, 1); err != nil {
			return fmt.Errorf("%s: %w", out.Name, err)
		}
		o.say("built %s: %s", out.Name, out.Build)
		if e.exact() {
			for _, t := range turns[1:] {
				t[i] = 0
			}
		}
	}
	for _, target := range o.targets {
		low, high := make([]int, len(engines)), make([]int, len(engines))
		for i, e := range engines {
			if e.exact() {
				continue
			}
			ef, err := poolFor(o, s, e, target)
			if err != nil {
				return fmt.Errorf("%s: %w", r.Engines[i].Name, err)
			}
			low[i], high[i] = max(ef-1, 0), ef
		}
		turns = append(turns, low, high)
	}
	for round := range o.rounds {
		for _, efs := range turns {
			for j := range engines {
				i := j
				if round%2 == 1 {
					i = len(engines) - 1 - j
				}
				if efs[i] == 0 || r.Engines[i].measured(efs[i]) > round {
					continue
				}
				debug.FreeOSMemory() // outside of the timing, so that no collection falls into it
				p, err := engines[i].search(s, efs[i], 1)
				if err != nil {
					return fmt.Errorf("%s: %w", r.Engines[i].Name, err)
				}
				r.Engines[i].add(efs[i], p, s.recall(p.labels, o.k))
			}
		}
		o.say("round %d of %d", round+1, o.rounds)
	}
	r.compare(o.targets)
	return nil
}

// maxPool is the widest pool that poolFor tries.
const maxPool = 2048

// poolFor is the least pool size that reaches the recall, 0 if none does or
// already the least of the sweep is beyond it.
func poolFor(o *options, s *set, e engine, target float64) (int, error) {
	reaches := func(ef int) (bool, error) {
		p, err := e.search(s, ef, 1)
		return err == nil && s.recall(p.labels, o.k) >= target, err
	}
	low, high := o.k, 2*o.k // low: too little
	if ok, err := reaches(low); ok || err != nil {
		return 0, err
	}
	for {
		ok, err := reaches(high)
		if err != nil {
			return 0, err
		}
		if ok {
			break
		}
		if low, high = high, 2*high; high > min(maxPool, s.n) {
			return 0, nil
		}
	}
	for high-low > 1 {
		mid := (low + high) / 2
		ok, err := reaches(mid)
		if err != nil {
			return 0, err
		}
		if ok {
			high = mid
		} else {
			low = mid
		}
	}
	return high, nil
}
