package indextest

import (
	"math"
	"slices"
	"testing"

	"github.com/nearcache/nearcache/index"
)

// Options say what may be asked of a kind.
type Options struct {
	Exact     bool            // finds all; otherwise recall has a floor
	Short     bool            // fewer vectors: a slow build, as under the race detector
	Elements  []index.Element // that the kind takes; nil: all
	Quants    []index.Quant   // that it has besides QuantAuto; the suite runs for each
	Quantised []index.Element // elements that Quants are for; nil: FLOAT32
}

type suite struct {
	kind index.Kind
	Options
	quant index.Quant
}

var (
	metrics = []index.Metric{index.L2, index.IP, index.Cosine}
	all     = []index.Element{index.Float32, index.Float64, index.Float16, index.BFloat16, index.Int8, index.Uint8}
)

// ef is a pool size with which recall must be good.
const ef = 128

// Run runs the whole suite on a kind.
func Run(t *testing.T, kind index.Kind, o Options) {
	if o.Elements == nil {
		o.Elements = all
	}
	if o.Quantised == nil {
		o.Quantised = []index.Element{index.Float32}
	}
	(&suite{kind, o, index.QuantAuto}).run(t)
	for _, q := range o.Quants {
		t.Run(q.String(), func(t *testing.T) {
			o.Elements = o.Quantised
			(&suite{kind, o, q}).run(t)
		})
	}
}

func (s *suite) run(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func(*testing.T)
	}{
		{"DistancesAreTheMetricsDefinitions", s.distances},
		{"RecallAgainstTruth", s.recall},
		{"RecallWithFiltersOfAnySelectivity", s.filters},
		{"FilterFarFromTheQuery", s.farFilter},
		{"FilterIsACluster", s.clusterFilter},
		{"RangeFindsAllWithinTheRadius", s.ranges},
		{"OlderVersionsChangeNothing", s.versions},
		{"BadParametersAreRefused", s.badParams},
		{"BadInputIsRefused", s.badInput},
		{"ZeroVectorUnderCosineIsAtDistanceOne", s.zero},
		{"OverflowingDistancesKeepTheirOrder", s.overflow},
		{"ThousandsOfIdenticalVectors", s.duplicates},
		{"IdenticalVectorIsFoundWithKOne", s.identical},
		{"RandomSequenceAgainstAModel", s.random},
		{"ChurnKeepsRecallAndMemory", s.churn},
		{"ReplacingEveryVectorKeepsRecall", s.replaceAll},
		{"DeletingEverythingAndStartingAgain", s.startAgain},
		{"StopEndsASearch", s.stop},
		{"SparseLabels", s.sparse},
		{"SearchDoesNotAllocate", s.allocs},
		{"SearchWhileInserting", s.searchWhileInserting},
		{"SearchWhileRemovingEntryPoint", s.searchWhileRemoving},
		{"SearchNeverMissesAReplacedVector", s.searchWhileReplacing},
		{"WritersOfTheSameLabelsAndVectors", s.racingWriters},
	} {
		t.Run(c.name, c.f)
	}
}

// n is how many vectors a test takes where n would be enough for any kind.
func (s *suite) n(n int) int {
	switch {
	case s.Short:
		return n / 10
	case s.quant != index.QuantAuto: // still enough to walk
		return n / 3
	}
	return n
}

// dim is n, or what it takes for codes of one bit to tell vectors apart.
func (s *suite) dim(n int) int {
	if s.quant == index.QuantBinary {
		return max(n, 64)
	}
	return n
}

// spaces are the metrics and elements that a test takes each: all, and where
// something is quantised every element at least once.
func (s *suite) spaces() []index.Params {
	var p []index.Params
	for i, e := range s.Elements {
		for j, m := range metrics {
			if s.quant == index.QuantAuto || i == 0 || j == i%len(metrics) {
				p = append(p, index.Params{Metric: m, Element: e})
			}
		}
	}
	return p
}

// some are those of the elements that the kind takes.
func (s *suite) some(e ...index.Element) []index.Element {
	return slices.DeleteFunc(e, func(e index.Element) bool { return !slices.Contains(s.Elements, e) })
}

func (s *suite) floor(f float64) float64 {
	if s.Exact {
		return 1
	}
	return f
}

// off is how far a distance may be from what float64 gives for the vectors,
// relative to 1+distance.
func (s *suite) off(e index.Element) float64 {
	switch {
	case s.quant == index.QuantSQ8Only:
		return 0.02
	case e == index.Float64 || e == index.Int8 || e == index.Uint8:
		return 1e-9
	}
	return 1e-4
}

// close reports whether got is the distance of a and b.
func (s *suite) close(p index.Params, got float64, a, b []float64) bool {
	want := Distance(p.Metric, a, b)
	scale := 1 + math.Abs(want)
	if p.Metric == index.IP && s.quant == index.QuantSQ8Only { // large products may cancel each other
		zero := make([]float64, len(a))
		scale += math.Sqrt(Distance(index.L2, a, zero) * Distance(index.L2, b, zero))
	}
	return math.Abs(got-want) <= s.off(p.Element)*scale
}

// itself is how far a vector may be from itself.
func (s *suite) itself(m index.Metric, e index.Element) float64 {
	switch {
	case s.quant == index.QuantSQ8Only:
		return s.off(e)
	case m == index.L2 || e == index.Int8 || e == index.Uint8:
		return 0
	case e == index.Float64:
		return 1e-14
	}
	return 1e-6
}

func (s *suite) make(t testing.TB, p index.Params) index.Index {
	t.Helper()
	p.Quant = s.quant
	x, err := s.kind.New(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// filled makes an index of the vectors under labels 0, 1, 2 …
func (s *suite) filled(t testing.TB, p index.Params, vectors [][]float64) (index.Index, map[index.Label][]float64) {
	t.Helper()
	x := s.make(t, p)
	m := make(map[index.Label][]float64, len(vectors))
	for i, v := range vectors {
		mustAdd(t, x, index.Label(i), 1, Blob(p.Element, v))
		m[index.Label(i)] = v
	}
	if x.Len() != len(vectors) {
		t.Fatalf("Len = %d, want %d", x.Len(), len(vectors))
	}
	return x, m
}

// measured is the mean recall@k over the queries.
func (s *suite) measured(t testing.TB, x index.Index, p index.Params, m map[index.Label][]float64, queries [][]float64, k int, o index.SearchOptions) float64 {
	t.Helper()
	sum := 0.0
	for _, q := range queries {
		truth := Truth(p.Metric, m, q, k, o.Allow)
		got := mustSearch(t, x, Blob(p.Element, q), k, o)
		if len(got) != len(truth) {
			t.Fatalf("%d results of %d", len(got), len(truth))
		}
		real := make([]index.Neighbor, len(got))
		for i, g := range got {
			v, ok := m[g.Label]
			if !ok || o.Allow != nil && !o.Allow.Contains(g.Label) {
				t.Fatalf("label %d is not in the set", g.Label)
			}
			d := Distance(p.Metric, q, v)
			if !s.close(p, g.Distance, q, v) {
				t.Fatalf("label %d at %v, really at %v", g.Label, g.Distance, d)
			}
			real[i] = index.Neighbor{Label: g.Label, Distance: d}
		}
		sum += Recall(real, truth)
	}
	return sum / float64(len(queries))
}

// selfFound wants every vector to be found by itself with k=1.
func (s *suite) selfFound(t testing.TB, x index.Index, p index.Params, m map[index.Label][]float64) {
	t.Helper()
	for l, v := range m {
		r := mustSearch(t, x, Blob(p.Element, v), 1, index.SearchOptions{})
		if len(r) != 1 || r[0].Distance > s.itself(p.Metric, p.Element) && !s.close(p, r[0].Distance, v, v) {
			t.Fatalf("%v %v: label %d not found by its own vector: %v", p.Metric, p.Element, l, r)
		}
		if g, ok := m[r[0].Label]; !ok || r[0].Label != l && Distance(p.Metric, v, g) > s.itself(p.Metric, p.Element) {
			t.Fatalf("%v %v: label %d is found for the vector of %d", p.Metric, p.Element, r[0].Label, l)
		}
	}
}
