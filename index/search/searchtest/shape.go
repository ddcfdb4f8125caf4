package searchtest

import (
	"encoding/binary"
	"fmt"
	"math"
)

// rect is a rectangle on the plane. Those of documents have whole numbers, those of queries
// none, so no two touch.
type rect struct{ x0, y0, x1, y1 float64 }

func (r rect) String() string {
	return fmt.Sprintf("POLYGON((%[1]g %[2]g, %[3]g %[2]g, %[3]g %[4]g, %[1]g %[4]g, %[1]g %[2]g))", r.x0, r.y0, r.x1, r.y1)
}

func rectOf(wkt string) (r rect) {
	var at float64
	_, _ = fmt.Sscanf(wkt, "POLYGON((%f %f, %f %f, %f %f", &r.x0, &r.y0, &r.x1, &at, &at, &r.y1)
	return r
}

func stands(predicate string, doc, q rect) bool {
	within := func(a, b rect) bool { return a.x0 > b.x0 && a.x1 < b.x1 && a.y0 > b.y0 && a.y1 < b.y1 }
	meet := doc.x0 < q.x1 && q.x0 < doc.x1 && doc.y0 < q.y1 && q.y0 < doc.y1
	switch predicate {
	case "WITHIN":
		return within(doc, q)
	case "CONTAINS":
		return within(q, doc)
	case "INTERSECTS":
		return meet
	}
	return !meet
}

// point is a vector of two dimensions as a blob.
func point(x, y float32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, math.Float32bits(x))
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(y))
}

func pointOf[T string | []byte](b T) (x, y float32) {
	at := func(i int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32([]byte(b[i:]))) }
	return at(0), at(4)
}

// Nearest is the distance of the nearest of a document's vectors.
func Nearest(vectors []string, q []byte) float64 {
	d, qx, qy := math.Inf(1), float32(0), float32(0)
	qx, qy = pointOf(q)
	for _, v := range vectors {
		x, y := pointOf(v)
		d = min(d, float64((x-qx)*(x-qx)+(y-qy)*(y-qy)))
	}
	return d
}
