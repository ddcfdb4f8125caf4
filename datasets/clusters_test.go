package datasets

import (
	"errors"
	"slices"
	"testing"
)

func TestClustersAreAsDescribed(t *testing.T) {
	c := Clusters{Rows: 600, Dim: 90, Clusters: 5, Seed: 3}
	m, err := c.Make(Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if m.Rows != 600 || m.Dim != 90 || len(m.Data) != 600*90 {
		t.Fatalf("%d x %d", m.Rows, m.Dim)
	}
	if lo, hi := slices.Min(m.Data), slices.Max(m.Data); lo != 0 || hi > 255 || hi < 50 {
		t.Errorf("components from %v to %v", lo, hi)
	}
	again, err := c.Make(Limits{})
	if err != nil || !slices.Equal(m.Data, again.Data) {
		t.Errorf("the same description makes other rows; %v", err)
	}
	c.Seed++
	if other, _ := c.Make(Limits{}); slices.Equal(m.Data, other.Data) {
		t.Error("another seed makes the same rows")
	}
	// In clusters: the nearest row is much nearer than the average one.
	var near, all float64
	for i := range 20 {
		best := -1.0
		for j := range m.Rows {
			d := 0.0
			for k, x := range m.Row(i) {
				d += float64(x-m.Row(j)[k]) * float64(x-m.Row(j)[k])
			}
			all += d / float64(m.Rows)
			if j != i && (best < 0 || d < best) {
				best = d
			}
		}
		near += best
	}
	if near > all/3 {
		t.Errorf("nearest at %.0f, average at %.0f: no clusters", near/20, all/20)
	}
}

func TestClustersRefuseWhatIsTooMuch(t *testing.T) {
	for _, c := range []Clusters{
		{Rows: -1, Dim: 4},
		{Rows: 4, Dim: 0},
		{Rows: 1 << 40, Dim: 4},
		{Rows: 4, Dim: 4, Clusters: 1 << 40},
		{Rows: 4, Dim: 4, Latent: 1 << 62},
		{Rows: 4, Dim: 4, Clusters: -1},
	} {
		if _, err := c.Make(Limits{}); !errors.Is(err, ErrLimit) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
