package attr

import (
	"math"
	"slices"

	"github.com/nearcache/nearcache/index"
)

// earth is the radius in metres that Redis computes with.
const earth = 6372797.560856

// Place is a point on the globe, in degrees.
type Place struct{ Lon, Lat float64 }

// Geo holds a place of each document, or several. A query scans all of them.
type Geo struct {
	points []Place            // by id: the first; NaN for none
	more   map[uint32][]Place // of documents that have several: those behind the first
	n      int
}

// Put sets the document's places.
func (g *Geo) Put(id uint32, p Place, more ...Place) {
	g.Remove(id)
	for int(id) >= len(g.points) {
		g.points = append(g.points, Place{math.NaN(), math.NaN()})
	}
	g.points[id] = p
	g.n += 1 + len(more)
	if len(more) > 0 {
		if g.more == nil {
			g.more = map[uint32][]Place{}
		}
		g.more[id] = slices.Clone(more)
	}
}

// Remove forgets the document's places.
func (g *Geo) Remove(id uint32) {
	if int(id) >= len(g.points) || math.IsNaN(g.points[id].Lon) {
		return
	}
	g.points[id] = Place{math.NaN(), math.NaN()}
	g.n -= 1 + len(g.more[id])
	delete(g.more, id)
}

// Len is the number of places.
func (g *Geo) Len() int { return g.n }

// Within adds the documents at most radius metres away to b.
func (g *Geo) Within(b *index.Bitmap, lon, lat, radius float64) {
	band := radius / earth * 180 / math.Pi * 1.0001
	at := Place{lon, lat}
	for id, p := range g.points {
		if math.Abs(p.Lat-lat) <= band && distance(p, at) <= radius {
			b.Add(index.Label(id))
		}
	}
	for id, l := range g.more {
		if slices.ContainsFunc(l, func(p Place) bool { return distance(p, at) <= radius }) {
			b.Add(index.Label(id))
		}
	}
}

// Near reports whether the document is at most radius metres away.
func (g *Geo) Near(id uint32, lon, lat, radius float64) bool {
	at := Place{lon, lat}
	return int(id) < len(g.points) && distance(g.points[id], at) <= radius ||
		slices.ContainsFunc(g.more[id], func(p Place) bool { return distance(p, at) <= radius })
}

// Bytes is the memory held.
func (g *Geo) Bytes() int64 { return 16*int64(cap(g.points)) + 80*int64(len(g.more)) }

// Distance is the haversine distance of two places in metres.
func Distance(lon1, lat1, lon2, lat2 float64) float64 {
	return distance(Place{lon1, lat1}, Place{lon2, lat2})
}

// distance is the haversine distance in metres.
func distance(a, b Place) float64 {
	rad := func(x float64) float64 { return x * math.Pi / 180 }
	u, v := math.Sin((rad(b.Lat)-rad(a.Lat))/2), math.Sin((rad(b.Lon)-rad(a.Lon))/2)
	return 2 * earth * math.Asin(math.Sqrt(min(1, u*u+math.Cos(rad(a.Lat))*math.Cos(rad(b.Lat))*v*v)))
}
