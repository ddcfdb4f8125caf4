package attr

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/index"
)

func shape(t testing.TB, wkt string, globe bool) *Shape {
	t.Helper()
	s, err := ParseShape([]byte(wkt), globe)
	if err != nil {
		t.Fatal(wkt, err)
	}
	return s
}

// TestShapesOfTheDocumentation has the cases of RediSearch's documentation and tests
// (test_geometry_flat.py, test_geometry_sphere.py).
func TestShapesOfTheDocumentation(t *testing.T) {
	docs := []string{
		"POLYGON((1 1, 1 100, 100 100, 100 1, 1 1))", // small
		"POLYGON((1 1, 1 200, 200 200, 200 1, 1 1))", // large
		"POINT(50 50)",
		"POLYGON((150 150, 150 180, 180 180, 180 150, 150 150))",
		"POLYGON((0 0, 0 300, 300 300, 300 0, 0 0), (10 10, 10 290, 290 290, 290 10, 10 10))", // a frame
		"point(150 150)",
	}
	f := func(globe bool, scale float64, predicate, query string, want ...uint32) {
		t.Helper()
		var x Shapes
		for i, d := range docs {
			x.Put(uint32(i), shape(t, scaled(d, scale), globe))
		}
		p, ok := ParsePredicate(predicate)
		if !ok {
			t.Fatal(predicate)
		}
		q := shape(t, scaled(query, scale), globe)
		var b index.Bitmap
		x.Find(&b, p, q, func() bool { return false })
		if got := ids(&b); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s %s, globe %v: %v, want %v", predicate, query, globe, got, want)
		}
		for id := range uint32(len(docs) + 1) {
			if x.Is(id, p, q) != strings.Contains(fmt.Sprint(want), fmt.Sprint(id)) {
				t.Errorf("%s %s: %d", predicate, query, id)
			}
		}
	}
	for _, globe := range []bool{false, true} {
		scale := 1.0
		if globe {
			scale = 0.1 // degrees
		}
		f(globe, scale, "within", "POLYGON((0 0, 0 149, 149 149, 149 0, 0 0))", 0, 2)
		f(globe, scale, "WITHIN", "POLYGON((-1 -1, -1 400, 400 400, 400 -1, -1 -1))", 0, 1, 2, 3, 4, 5)
		f(globe, scale, "CONTAINS", "POLYGON((2 2, 2 50, 50 50, 50 2, 2 2))", 0, 1)
		f(globe, scale, "CONTAINS", "POINT(170 170)", 1, 3)
		f(globe, scale, "INTERSECTS", "POLYGON((90 90, 90 120, 120 120, 120 90, 90 90))", 0, 1)
		f(globe, scale, "INTERSECTS", "POLYGON((-5 -5, -5 5, 5 5, 5 -5, -5 -5))", 0, 1, 4)
		f(globe, scale, "DISJOINT", "POLYGON((90 90, 90 120, 120 120, 120 90, 90 90))", 2, 3, 4, 5)
		f(globe, scale, "INTERSECTS", "POINT(50 50)", 0, 1, 2)
	}
}

// scaled multiplies the numbers of a text.
func scaled(wkt string, by float64) string {
	if by == 1 {
		return wkt
	}
	var b strings.Builder
	for i := 0; i < len(wkt); {
		var x float64
		n := i
		for n < len(wkt) && strings.ContainsRune("-0123456789", rune(wkt[n])) {
			n++
		}
		if n == i {
			b.WriteByte(wkt[i])
			i++
			continue
		}
		_, _ = fmt.Sscan(wkt[i:n], &x)
		fmt.Fprint(&b, x*by)
		i = n
	}
	return b.String()
}

func TestWhatIsNoShape(t *testing.T) {
	for _, globe := range []bool{false, true} {
		for _, wkt := range []string{
			"", "POINT", "POINT()", "POINT(1)", "POINT(1 2 3)", "POINT(nan 1)", "POINT(1e300 1)", "POINT EMPTY", "POINT(1 2) x",
			"POLYGON", "POLYGON EMPTY", "POLYGON(())", "POLYGON((1 1))", "POLYGON((1 1, 2 2, 1 1))", "POLYGON((1 1, 2 2, 3 3, 1 1))",
			"POLYGON((0 0, 1 1, 0 1, 1 0, 0 0))", "LINESTRING(1 1, 2 2)", "MULTIPOINT(1 1)", "GEOMETRYCOLLECTION(POINT(1 1))", "nonsense",
			"POLYGON((0 0, 0 1, 1 1, 1 0, 0 0), (5 5, 5 6, 6 6, 6 5, 5 5))",
		} {
			if _, err := ParseShape([]byte(wkt), globe); err == nil {
				t.Errorf("%s is a shape", wkt)
			}
		}
	}
	if _, err := ParseShape([]byte("POINT(181 0)"), true); err != ErrGlobe {
		t.Error(err)
	}
	if _, err := ParseShape([]byte("POLYGON((0 0, 0 91, 1 91, 0 0))"), true); err != ErrGlobe {
		t.Error(err)
	}
	shape(t, "POLYGON((0 0, 0 1, 1 1, 1 0))", false) // is closed
	var b strings.Builder
	for i := range maxCorners + 1 {
		fmt.Fprintf(&b, "%d %d, ", i, i*i%7)
	}
	if _, err := ParseShape([]byte("POLYGON(("+b.String()+"0 0))"), false); err != ErrCorners {
		t.Error(err)
	}
}

// TestShapesOnPlaneAndGlobeAgree compares small triangles, where both are the same.
func TestShapesOnPlaneAndGlobeAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	triangle := func() string {
		x := func() float64 { return r.Float64() }
		a, b, c, d, e, f := x(), x(), x(), x(), x(), x()
		return fmt.Sprintf("POLYGON((%v %v, %v %v, %v %v, %v %v))", a, b, c, d, e, f, a, b)
	}
	differ := 0
	for range 1000 {
		a, b := triangle(), triangle()
		for _, p := range []Predicate{Within, Contains, Intersects, Disjoint} {
			if shape(t, a, false).Is(p, shape(t, b, false)) != shape(t, a, true).Is(p, shape(t, b, true)) {
				differ++
			}
		}
	}
	if differ > 4 { // edges bend a little on the globe
		t.Errorf("%d differ", differ)
	}
}

func FuzzShape(f *testing.F) {
	for _, s := range []string{
		"POINT(1 2)", "POLYGON((0 0, 0 1, 1 1, 1 0, 0 0))", "POLYGON((0 0, 0 9, 9 9, 9 0, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1))",
		"POLYGON((180 0, -180 1, 179 2))", "POLYGON((0 90, 10 90, 20 80))", "POLYGON((0 0, 0 1e-300, 1e-300 0))",
	} {
		f.Add(s, s, false)
		f.Add(s, "POINT(0.5 0.5)", true)
	}
	f.Fuzz(func(t *testing.T, a, b string, globe bool) {
		if len(a)+len(b) > 1000 {
			return
		}
		x, err1 := ParseShape([]byte(a), globe)
		y, err2 := ParseShape([]byte(b), globe)
		if err1 != nil || err2 != nil {
			return
		}
		for _, p := range []Predicate{Within, Contains, Intersects, Disjoint} {
			x.Is(p, y)
		}
		if x.Is(Intersects, y) == x.Is(Disjoint, y) {
			t.Error("neither, or both")
		}
	})
}
