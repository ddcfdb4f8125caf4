package attr

import (
	"math"

	"github.com/nearcache/nearcache/index"
)

// earth is the radius in metres that Redis computes with.
const earth = 6372797.560856

type point struct{ lon, lat float64 }

// Geo holds one place a document. A query scans all of them.
type Geo struct {
	points []point // by id; NaN for none
	n      int
}

// Put sets the document's place, in degrees.
func (g *Geo) Put(id uint32, lon, lat float64) {
	g.Remove(id)
	for int(id) >= len(g.points) {
		g.points = append(g.points, point{math.NaN(), math.NaN()})
	}
	g.points[id] = point{lon, lat}
	g.n++
}

// Remove forgets the document's place.
func (g *Geo) Remove(id uint32) {
	if int(id) < len(g.points) && !math.IsNaN(g.points[id].lon) {
		g.points[id] = point{math.NaN(), math.NaN()}
		g.n--
	}
}

// Len is the number of documents that have a place.
func (g *Geo) Len() int { return g.n }

// Within adds the documents at most radius metres away to b.
func (g *Geo) Within(b *index.Bitmap, lon, lat, radius float64) {
	band := radius / earth * 180 / math.Pi * 1.0001
	for id, p := range g.points {
		if math.Abs(p.lat-lat) <= band && distance(p, point{lon, lat}) <= radius {
			b.Add(index.Label(id))
		}
	}
}

// Near reports whether the document is at most radius metres away.
func (g *Geo) Near(id uint32, lon, lat, radius float64) bool {
	return int(id) < len(g.points) && distance(g.points[id], point{lon, lat}) <= radius
}

// Bytes is the memory held.
func (g *Geo) Bytes() int64 { return 16 * int64(cap(g.points)) }

// distance is the haversine distance in metres.
func distance(a, b point) float64 {
	rad := func(x float64) float64 { return x * math.Pi / 180 }
	u, v := math.Sin((rad(b.lat)-rad(a.lat))/2), math.Sin((rad(b.lon)-rad(a.lon))/2)
	return 2 * earth * math.Asin(math.Sqrt(min(1, u*u+math.Cos(rad(a.lat))*math.Cos(rad(b.lat))*v*v)))
}
