// Package geo is the geometry of GEOADD, GEOSEARCH and their kin: places as
// geohashes of 52 bits, which are exact as scores of a sorted set, distances on
// a sphere, and the ranges of geohashes that cover an area.
//
// A geohash interleaves the bits of latitude (the even ones) and longitude, each
// a fraction of its range; places with a common prefix are near each other
// (G. Niemeyer, 2008). The ranges of scores to look through are the cell that
// holds the center, as large as the area, and its eight neighbours. Constants
// and the order of steps are Redis', so that digits agree.
package geo

import "math"

// The limits of a place, those of EPSG:3857 (web Mercator).
const (
	MaxLon = 180.0
	MaxLat = 85.05112878
)

const (
	steps       = 26             // bits of each coordinate
	earthRadius = 6372797.560856 // m, the quadratic mean of WGS-84
	mercatorMax = 20037726.37    // m, half of the equator
	radian      = float64(math.Pi) / 180
)

// cell is a geohash of a number of steps.
type cell struct {
	bits uint64
	step uint
}

// spread puts a zero before each bit.
func spread(x uint32) uint64 {
	v := uint64(x)
	v = (v | v<<16) & 0x0000ffff0000ffff
	v = (v | v<<8) & 0x00ff00ff00ff00ff
	v = (v | v<<4) & 0x0f0f0f0f0f0f0f0f
	v = (v | v<<2) & 0x3333333333333333
	return (v | v<<1) & 0x5555555555555555
}

// gather takes every second bit.
func gather(v uint64) uint32 {
	v &= 0x5555555555555555
	v = (v | v>>1) & 0x3333333333333333
	v = (v | v>>2) & 0x0f0f0f0f0f0f0f0f
	v = (v | v>>4) & 0x00ff00ff00ff00ff
	v = (v | v>>8) & 0x0000ffff0000ffff
	return uint32(v | v>>16)
}

// fixed is the place of x between -limit and limit in steps of 2^-step. What lies
// at the upper end keeps the bit that is too much, as in Redis.
func fixed(x, limit float64, step uint) uint32 {
	return uint32((x + limit) / (2 * limit) * float64(uint64(1)<<step))
}

func encode(lon, lat float64, latLimit float64, step uint) cell {
	if !Valid(lon, lat) {
		return cell{step: step}
	}
	return cell{spread(fixed(lat, latLimit, step)) | spread(fixed(lon, MaxLon, step))<<1, step}
}

// Valid reports whether a place can be stored.
func Valid(lon, lat float64) bool {
	return -MaxLon <= lon && lon <= MaxLon && -MaxLat <= lat && lat <= MaxLat
}

// Encode is the geohash of a valid place.
func Encode(lon, lat float64) uint64 { return encode(lon, lat, MaxLat, steps).bits }

// bounds is the area of a cell.
func (c cell) bounds() (minLon, minLat, maxLon, maxLat float64) {
	n := float64(uint64(1) << c.step)
	at := func(i uint32, limit float64) float64 { return -limit + float64(float64(i)/n*(2*limit)) }
	y, x := gather(c.bits), gather(c.bits>>1)
	return at(x, MaxLon), at(y, MaxLat), at(x+1, MaxLon), at(y+1, MaxLat)
}

// Decode is the middle of the cell that a score stands for. Any score is one.
func Decode(score float64) (lon, lat float64) {
	bits := uint64(int64(score))
	if score >= 1<<63 {
		bits = uint64(score)
	}
	minLon, minLat, maxLon, maxLat := cell{bits, steps}.bounds()
	lon, lat = (minLon+maxLon)/2, (minLat+maxLat)/2
	return min(max(lon, -MaxLon), MaxLon), min(max(lat, -MaxLat), MaxLat)
}

const alphabet = "0123456789bcdefghjkmnpqrstuvwxyz"

// AppendHash appends the usual text of a place, eleven letters. The last is
// always 0: there are 52 bits.
func AppendHash(b []byte, lon, lat float64) []byte {
	bits := encode(lon, lat, 90, steps).bits
	for i := 1; i <= 10; i++ {
		b = append(b, alphabet[bits>>(52-5*i)&31])
	}
	return append(b, '0')
}

func latDistance(lat1, lat2 float64) float64 {
	return earthRadius * math.Abs(float64(lat2*radian)-float64(lat1*radian))
}

// Distance is the distance of two places in meters, by the haversine formula.
func Distance(lon1, lat1, lon2, lat2 float64) float64 {
	v := math.Sin((float64(lon2*radian) - float64(lon1*radian)) / 2)
	if v == 0 {
		return latDistance(lat1, lat2)
	}
	u := math.Sin((float64(lat2*radian) - float64(lat1*radian)) / 2)
	a := float64(u*u) + float64(math.Cos(lat1*radian)*math.Cos(lat2*radian)*v*v)
	return 2 * earthRadius * math.Asin(math.Sqrt(a))
}

// Shape is an area: a circle, or a box, around a place. Lengths are in units of
// Unit meters.
type Shape struct {
	Lon, Lat      float64
	Unit          float64
	Radius        float64
	Box           bool
	Width, Height float64
}

// Within reports whether a place is in the area, and its distance from the
// center in meters if it is.
func (s *Shape) Within(lon, lat float64) (distance float64, ok bool) {
	if !s.Box {
		d := Distance(s.Lon, s.Lat, lon, lat)
		return d, d <= s.Radius*s.Unit
	}
	if latDistance(lat, s.Lat) > s.Height*s.Unit/2 || Distance(lon, lat, s.Lon, lat) > s.Width*s.Unit/2 {
		return 0, false
	}
	return Distance(s.Lon, s.Lat, lon, lat), true
}

// box is a rectangle that holds the area.
func (s *Shape) box() (minLon, minLat, maxLon, maxLat float64) {
	height, width := s.Unit*s.Radius, s.Unit*s.Radius
	if s.Box {
		height, width = s.Unit*(s.Height/2), s.Unit*(s.Width/2)
	}
	dLat := height / earthRadius / radian
	edge := s.Lat + dLat // the one that is nearer to a pole
	if s.Lat < 0 {
		edge = s.Lat - dLat
	}
	dLon := width / earthRadius / math.Cos(edge*radian) / radian
	return s.Lon - dLon, s.Lat - dLat, s.Lon + dLon, s.Lat + dLat
}

// fineness is how many steps a cell has that is about as large as a radius.
func fineness(meters, lat float64) uint {
	if meters == 0 {
		return steps
	}
	step := 1
	for meters < mercatorMax {
		meters *= 2
		step++
	}
	step -= 2
	if lat > 66 || lat < -66 {
		step--
		if lat > 80 || lat < -80 {
			step--
		}
	}
	return uint(min(max(step, 1), steps))
}

const (
	lonBits = 0xaaaaaaaaaaaaaaaa
	latBits = 0x5555555555555555
)

// move is the cell so many cells east and north.
func (c cell) move(east, north int) cell {
	shift := 64 - 2*c.step
	step := func(bits, own, other uint64, by int) uint64 {
		fill := other >> shift // lets a carry through
		switch {
		case by > 0:
			bits += fill + 1
		case by < 0:
			bits = (bits | fill) - (fill + 1)
		}
		return bits & (own >> shift)
	}
	lon, lat := c.bits&lonBits, c.bits&latBits
	if east != 0 {
		lon = step(lon, lonBits, latBits, east)
	}
	if north != 0 {
		lat = step(lat, latBits, lonBits, north)
	}
	return cell{lon | lat, c.step}
}

// directions are the cells to look at, in the order in which results come.
var directions = [9]struct{ east, north int }{
	{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1},
}

// Ranges appends the ranges of scores that cover the area, [2]float64{from, to},
// to excluded, in the order in which they are to be looked through.
func (s *Shape) Ranges(dst [][2]float64) [][2]float64 {
	minLon, minLat, maxLon, maxLat := s.box()
	meters := s.Radius
	if s.Box {
		meters = math.Sqrt(float64(s.Width/2*(s.Width/2)) + float64(s.Height/2*(s.Height/2)))
	}
	step := fineness(meters*s.Unit, s.Lat)
	c := encode(s.Lon, s.Lat, MaxLat, step)
	if step > 1 && !c.reaches(minLon, minLat, maxLon, maxLat) {
		step--
		c = encode(s.Lon, s.Lat, MaxLat, step)
	}
	w, so, e, n := c.bounds()
	var last cell
	for i, d := range directions {
		if step >= 2 && (d.north < 0 && so < minLat || d.north > 0 && n > maxLat || d.east < 0 && w < minLon || d.east > 0 && e > maxLon) {
			continue
		}
		k := c.move(d.east, d.north)
		if i > 0 && last.step > 0 && k == last {
			continue // the same again, where cells are as large as the earth
		}
		if i > 0 {
			last = k
		}
		shift := 52 - 2*step
		dst = append(dst, [2]float64{float64(k.bits << shift), float64((k.bits + 1) << shift)})
	}
	return dst
}

// reaches reports whether the neighbours of a cell cover a rectangle.
func (c cell) reaches(minLon, minLat, maxLon, maxLat float64) bool {
	_, _, _, north := c.move(0, 1).bounds()
	_, south, _, _ := c.move(0, -1).bounds()
	_, _, east, _ := c.move(1, 0).bounds()
	west, _, _, _ := c.move(-1, 0).bounds()
	return north >= maxLat && south <= minLat && east >= maxLon && west <= minLon
}
