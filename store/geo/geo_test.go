package geo

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The places of the documentation of GEOADD.
func TestPlacesOfTheDocumentation(t *testing.T) {
	if got := Encode(13.361389, 38.115556); got != 3479099956230698 {
		t.Errorf("Palermo is %d", got)
	}
	lon1, lat1 := Decode(3479099956230698)
	lon2, lat2 := Decode(float64(Encode(15.087269, 37.502669)))
	if d := Distance(lon1, lat1, lon2, lat2); math.Abs(d-166274.1516) > 1e-4 {
		t.Errorf("Palermo to Catania: %f m", d)
	}
	if got := string(AppendHash(nil, lon1, lat1)); got != "sqc8b49rny0" {
		t.Errorf("the hash of Palermo is %s", got)
	}
}

func TestDecodeIsNearEncode(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 10_000 {
		lon, lat := rng.Float64()*360-180, (rng.Float64()*2-1)*MaxLat
		x, y := Decode(float64(Encode(lon, lat)))
		if math.Abs(x-lon) > 4e-6 || math.Abs(y-lat) > 2e-6 {
			t.Fatalf("%v %v became %v %v", lon, lat, x, y)
		}
	}
}

// TestRangesCoverShapes looks for places in shapes away from the poles and the
// date line, where the cells around the center cover all of it.
func TestRangesCoverShapes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 20_000 {
		s := Shape{Lon: rng.Float64()*100 - 50, Lat: rng.Float64()*100 - 50, Unit: 1000, Radius: math.Exp(rng.Float64() * 7)}
		s.Box, s.Width, s.Height = rng.IntN(2) == 0, s.Radius*(1+rng.Float64()), s.Radius*(1+rng.Float64())
		size := s.Radius / 80
		score := float64(Encode(s.Lon+(rng.Float64()-.5)*size, s.Lat+(rng.Float64()-.5)*size))
		if _, in := s.Within(Decode(score)); !in {
			continue
		}
		found++
		covered := false
		for _, r := range s.Ranges(nil) {
			covered = covered || r[0] <= score && score < r[1]
		}
		if !covered {
			t.Fatalf("%+v does not find %f", s, score)
		}
	}
	if found < 1000 {
		t.Fatalf("only %d places were in their shapes", found)
	}
}

func FuzzShape(f *testing.F) {
	f.Add(0.0, 0.0, 1.0, 5e6, false)
	f.Add(180.0, 85.05112878, 0.3048, 0.0, true)
	f.Fuzz(func(t *testing.T, lon, lat, unit, size float64, box bool) {
		if !Valid(lon, lat) || !(unit > 0) || !(size >= 0) {
			t.Skip()
		}
		s := Shape{Lon: lon, Lat: lat, Unit: unit, Radius: size, Box: box, Width: size, Height: size / 2}
		for _, r := range s.Ranges(nil) {
			if !(r[0] < r[1]) {
				t.Fatalf("range %v", r)
			}
		}
		Decode(size)
	})
}
