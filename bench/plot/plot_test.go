package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"testing"
)

// count reads SVG and counts its elements by name.
func count(t *testing.T, svg []byte) map[string]int {
	t.Helper()
	n := map[string]int{}
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := tok.(xml.StartElement); ok {
			n[s.Name.Local]++
		}
	}
}

func TestBarsAreWellFormed(t *testing.T) {
	n := count(t, Bars(Chart{
		Title: "a < b", Series: []string{"x", "y"}, Unit: "s",
		Groups: []Group{{Label: "one & two", Bars: []Bar{{Value: 3, Low: 2, High: 4}, {Missing: "none"}}}, {Label: "l", Bars: []Bar{{Value: 1}, {Value: 2, Note: "1.0x"}}}},
	}))
	if n["rect"] != 1+2+3 { // background, legend, bars
		t.Errorf("%v", n)
	}
	count(t, Bars(Chart{})) // nothing to draw is no panic
}

func TestLinesAreWellFormed(t *testing.T) {
	for _, log := range []bool{false, true} {
		n := count(t, Lines(Graph{LogX: log, LogY: log, Lines: []Line{{Name: "a", X: []float64{1, 10}, Y: []float64{5, 5}}, {Name: "b", X: []float64{0, 3}, Y: []float64{0, 1}}}}))
		if n["polyline"] != 2 {
			t.Errorf("%v", n)
		}
	}
	count(t, Lines(Graph{}))
}

func TestTicks(t *testing.T) {
	a := newAxis(false)
	a.add(0)
	a.add(1)
	a.finish()
	if got := a.ticks(); len(got) != 6 || got[0] != 0 {
		t.Errorf("%v", got)
	}
	a = newAxis(true)
	a.add(1)
	a.add(100)
	if got := a.ticks(); !slices.Equal(got, []float64{1, 2, 5, 10, 20, 50, 100}) {
		t.Errorf("%v", got)
	}
	for v, want := range map[float64]string{1_234_000: "1.23M", 12_340: "12.3k", 0.5: "0.5", 1e-17: "0"} {
		if got := Short(v); got != want {
			t.Errorf("%v: %q", v, got)
		}
	}
	if niceStep(3) != 5 || niceStep(10) != 10 || niceStep(0.7) != 1 {
		t.Error("niceStep")
	}
}
