package geo

import "math"

// ExactDistance is Distance with each step rounded as well as a float64 can be,
// for distances that are kept with all their digits: the standard library's
// functions are a unit of the last place off now and then, those of C hardly ever.
// It takes twenty times as long.
func ExactDistance(lon1, lat1, lon2, lat2 float64) float64 {
	v := exactSin((float64(lon2*radian) - float64(lon1*radian)) / 2)
	if v == 0 {
		return latDistance(lat1, lat2)
	}
	u := exactSin((float64(lat2*radian) - float64(lat1*radian)) / 2)
	a := float64(u*u) + float64(exactCos(lat1*radian)*exactCos(lat2*radian)*v*v)
	return 2 * earthRadius * exactAsin(math.Sqrt(a))
}

func exactSin(x float64) float64 {
	s, _ := sinCos(x)
	return s.hi
}

func exactCos(x float64) float64 {
	_, c := sinCos(x)
	return c.hi
}

// exactAsin improves on the standard library's by a step of Newton's method.
func exactAsin(y float64) float64 {
	x := math.Asin(y)
	s, c := sinCos(x)
	if c.hi == 0 {
		return x
	}
	return x + ((y-s.hi)-s.lo)/c.hi
}

// double is a number of twice the precision, hi + lo, hi being the sum rounded
// (T. J. Dekker, 1971).
type double struct{ hi, lo float64 }

func sum(a, b float64) double {
	s := a + b
	t := s - a
	return double{s, (a - (s - t)) + (b - t)}
}

func (a double) add(b double) double {
	s := sum(a.hi, b.hi)
	return sum(s.hi, s.lo+a.lo+b.lo)
}

func (a double) mul(b double) double {
	p := a.hi * b.hi
	e := math.FMA(a.hi, b.hi, -p)
	return sum(p, e+float64(a.hi*b.lo)+float64(a.lo*b.hi))
}

func (a double) div(n float64) double {
	q := a.hi / n
	return sum(q, (math.FMA(-q, n, a.hi)+a.lo)/n)
}

func (a double) neg() double { return double{-a.hi, -a.lo} }

// halfPi is π/2.
var halfPi = double{math.Pi / 2, 6.123233995736766035868820147292e-17}

// terms of the series are enough for 100 bits up to π/4.
const terms = 28

// sinCos is by Taylor's series, x being some turns at most.
func sinCos(x float64) (sin, cos double) {
	k := math.Round(x / halfPi.hi)
	r := double{x, 0}.add(halfPi.mul(double{-k, 0}))
	minusSquare := r.mul(r).neg()
	s, c := double{1, 0}, double{1, 0}
	for n := float64(terms); n > 1; n -= 2 {
		s = s.mul(minusSquare).div(n * (n + 1)).add(double{1, 0})
		c = c.mul(minusSquare).div(n * (n - 1)).add(double{1, 0})
	}
	s = s.mul(r)
	switch int(k) & 3 {
	case 1:
		return c, s.neg()
	case 2:
		return s.neg(), c.neg()
	case 3:
		return c.neg(), s
	}
	return s, c
}
