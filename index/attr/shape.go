package attr

import (
	"errors"
	"math"
	"strings"

	"github.com/golang/geo/s2"
	"github.com/peterstace/simplefeatures/geom"

	"github.com/nearcache/nearcache/index"
)

// Shape is a point or a polygon, on the plane or on the globe.
type Shape struct {
	flat   geom.Geometry // on the plane
	point  s2.Point      // on the globe …
	area   *s2.Polygon   // … nil for a point
	box    rect          // of the plane
	bounds s2.Rect       // of the globe
	bytes  int64
}

type rect struct{ x0, y0, x1, y1 float64 }

func (r rect) holds(o rect) bool {
	return r.x0 <= o.x0 && r.y0 <= o.y0 && o.x1 <= r.x1 && o.y1 <= r.y1
}

func (r rect) meets(o rect) bool {
	return r.x0 <= o.x1 && o.x0 <= r.x1 && r.y0 <= o.y1 && o.y0 <= r.y1
}

// maxCorners bounds the corners of a polygon: a comparison of two costs what both have.
const maxCorners = 10_000

// Errors of shapes.
var (
	ErrShape   = errors.New("invalid shape: POINT or POLYGON in well-known text is expected")
	ErrCorners = errors.New("invalid shape: too many corners")
	ErrGlobe   = errors.New("invalid shape: longitudes go from -180 to 180, latitudes from -90 to 90")
)

// maxShapeText is how long a text may be: no corner needs a hundred letters.
const maxShapeText = 100 * maxCorners

// ParseShape reads a POINT or a POLYGON in well-known text. A ring that is not closed
// is closed; on the globe its inside is the smaller part.
func ParseShape(wkt []byte, globe bool) (*Shape, error) {
	if len(wkt) > maxShapeText {
		return nil, ErrCorners
	}
	text := strings.TrimSpace(string(wkt))
	word := strings.ToUpper(text[:min(len(text), len("POLYGON"))])
	if !strings.HasPrefix(word, "POINT") && word != "POLYGON" {
		return nil, ErrShape // others nest, or are for nothing here
	}
	g, err := geom.UnmarshalWKT(text, geom.NoValidate{})
	if err != nil {
		return nil, ErrShape
	}
	if g.CoordinatesType() != geom.DimXY || g.IsEmpty() {
		return nil, ErrShape
	}
	s := &Shape{bytes: 256}
	switch {
	case g.IsPoint():
		err = s.setPoint(g.MustAsPoint(), globe)
	case g.IsPolygon():
		err = s.setPolygon(g.MustAsPolygon(), globe)
	default:
		err = ErrShape
	}
	return s, err
}

func finite(p geom.XY) bool { return math.Abs(p.X) < 1e100 && math.Abs(p.Y) < 1e100 }

func onGlobe(p geom.XY) bool { return math.Abs(p.X) <= 180 && math.Abs(p.Y) <= 90 }

func (s *Shape) setPoint(p geom.Point, globe bool) error {
	at, ok := p.XY()
	switch {
	case !ok || !finite(at):
		return ErrShape
	case globe && !onGlobe(at):
		return ErrGlobe
	case globe:
		ll := s2.LatLngFromDegrees(at.Y, at.X)
		s.point, s.bounds = s2.PointFromLatLng(ll), s2.RectFromLatLng(ll)
	default:
		s.flat, s.box = p.AsGeometry(), rect{at.X, at.Y, at.X, at.Y}
	}
	return nil
}

func (s *Shape) setPolygon(p geom.Polygon, globe bool) error {
	var rings []geom.LineString
	corners := 0
	for _, r := range p.DumpRings() {
		seq := r.Coordinates()
		n := seq.Length()
		if corners += n; corners > maxCorners {
			return ErrCorners
		}
		if n == 0 {
			return ErrShape
		}
		flat := make([]float64, 0, 2*n+2)
		for i := range n {
			at := seq.GetXY(i)
			if !finite(at) {
				return ErrShape
			}
			if globe && !onGlobe(at) {
				return ErrGlobe
			}
			flat = append(flat, at.X, at.Y)
		}
		if flat[0] != flat[len(flat)-2] || flat[1] != flat[len(flat)-1] {
			flat = append(flat, flat[0], flat[1])
		}
		rings = append(rings, geom.NewLineString(geom.NewSequence(flat, geom.DimXY)))
	}
	p = geom.NewPolygon(rings)
	if p.Validate() != nil {
		return ErrShape
	}
	s.bytes += 32 * int64(corners)
	if globe {
		return s.setArea(rings)
	}
	lo, hi, ok := p.Envelope().MinMaxXYs()
	if !ok {
		return ErrShape
	}
	s.flat, s.box = p.AsGeometry(), rect{lo.X, lo.Y, hi.X, hi.Y}
	return nil
}

func (s *Shape) setArea(rings []geom.LineString) error {
	var loops []*s2.Loop
	for _, r := range rings {
		seq := r.Coordinates()
		points := make([]s2.Point, 0, seq.Length())
		for i := range seq.Length() - 1 { // the last is the first
			at := seq.GetXY(i)
			p := s2.PointFromLatLng(s2.LatLngFromDegrees(at.Y, at.X))
			if len(points) == 0 || points[len(points)-1] != p {
				points = append(points, p)
			}
		}
		if n := len(points); n > 1 && points[0] == points[n-1] { // 180 and -180 are one
			points = points[:n-1]
		}
		if len(points) < 3 {
			return ErrShape
		}
		l := s2.LoopFromPoints(points)
		if l.Validate() != nil {
			return ErrShape
		}
		l.Normalize()
		loops = append(loops, l)
	}
	s.area = s2.PolygonFromLoops(loops)
	s.bounds = s.area.RectBound()
	s.bytes += 100 * int64(s.area.NumEdges())
	return nil
}

// Predicate is how one shape may stand to another.
type Predicate uint8

// The predicates.
const (
	Within Predicate = iota
	Contains
	Intersects
	Disjoint
)

// ParsePredicate finds a predicate by its name in a query.
func ParsePredicate(name string) (Predicate, bool) {
	switch strings.ToUpper(name) {
	case "WITHIN":
		return Within, true
	case "CONTAINS":
		return Contains, true
	case "INTERSECTS":
		return Intersects, true
	case "DISJOINT":
		return Disjoint, true
	}
	return 0, false
}

// Is reports whether the shape stands to o as the predicate says. Both are of the
// plane, or both of the globe.
func (s *Shape) Is(p Predicate, o *Shape) bool {
	switch p {
	case Within:
		return o.Is(Contains, s)
	case Disjoint:
		return !s.Is(Intersects, o)
	}
	if s.flat.IsEmpty() {
		return s.isOnGlobe(p, o)
	}
	if p == Intersects {
		return s.box.meets(o.box) && geom.Intersects(s.flat, o.flat)
	}
	if !s.box.holds(o.box) {
		return false
	}
	ok, err := geom.Contains(s.flat, o.flat)
	return ok && err == nil
}

func (s *Shape) isOnGlobe(p Predicate, o *Shape) bool {
	switch {
	case p == Contains && !s.bounds.Contains(o.bounds), !s.bounds.Intersects(o.bounds):
		return false
	case s.area == nil && o.area == nil:
		return s.point == o.point
	case o.area == nil:
		return s.area.ContainsPoint(o.point)
	case s.area == nil:
		return p == Intersects && o.area.ContainsPoint(s.point)
	case p == Intersects:
		return s.area.Intersects(o.area)
	}
	return s.area.Contains(o.area)
}

// Shapes holds the shape of each document. A query looks at the bounds of all of them.
type Shapes struct {
	shapes []*Shape // by id; nil for none
	n      int
	bytes  int64
}

// Put sets the document's shape.
func (s *Shapes) Put(id uint32, sh *Shape) {
	s.Remove(id)
	for int(id) >= len(s.shapes) {
		s.shapes = append(s.shapes, nil)
	}
	s.shapes[id] = sh
	s.n++
	s.bytes += sh.bytes
}

// Remove forgets the document's shape.
func (s *Shapes) Remove(id uint32) {
	if int(id) < len(s.shapes) && s.shapes[id] != nil {
		s.bytes -= s.shapes[id].bytes
		s.shapes[id] = nil
		s.n--
	}
}

// Len is the number of documents that have a shape.
func (s *Shapes) Len() int { return s.n }

// Bytes is the memory held, about.
func (s *Shapes) Bytes() int64 { return 8*int64(cap(s.shapes)) + s.bytes }

// Is reports whether the document's shape stands to q as the predicate says.
func (s *Shapes) Is(id uint32, p Predicate, q *Shape) bool {
	return int(id) < len(s.shapes) && s.shapes[id] != nil && s.shapes[id].Is(p, q)
}

// Find adds the documents whose shape stands to q as the predicate says to b, until
// stopped says that it has taken too long.
func (s *Shapes) Find(b *index.Bitmap, p Predicate, q *Shape, stopped func() bool) {
	for id, sh := range s.shapes {
		if sh == nil {
			continue
		}
		if sh.Is(p, q) {
			b.Add(index.Label(id))
		}
		if stopped() {
			return
		}
	}
}
