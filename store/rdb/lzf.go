package rdb

import "encoding/binary"

// LZF: runs of up to 32 literal bytes, and copies of 3 to 264 bytes from up to
// 8 kB before.
const (
	lzfLiterals = 32
	lzfNear     = 1 << 13
	lzfLongest  = 264
)

// lzfExpand decompresses src behind dst; it must become n bytes.
func lzfExpand(dst, src []byte, n int) ([]byte, bool) {
	if n/(lzfLongest/3) > len(src) {
		return dst, false // cannot be: each 3 bytes make 264 at most
	}
	from := len(dst)
	end := from + n
	if cap(dst) < end {
		grown := make([]byte, from, end)
		copy(grown, dst)
		dst = grown
	}
	for i := 0; i < len(src); {
		c := int(src[i])
		i++
		if c < lzfLiterals {
			if c++; i+c > len(src) || len(dst)+c > end {
				return dst, false
			}
			dst = append(dst, src[i:i+c]...)
			i += c
			continue
		}
		k := c >> 5
		if k == 7 {
			if i == len(src) {
				return dst, false
			}
			k += int(src[i])
			i++
		}
		if i == len(src) {
			return dst, false
		}
		at := len(dst) - (c&31<<8 | int(src[i])) - 1
		i++
		if k += 2; at < from || len(dst)+k > end {
			return dst, false
		}
		for ; k > 0; k, at = k-1, at+1 { // the copy may reach into itself
			dst = append(dst, dst[at])
		}
	}
	return dst, len(dst) == end
}

// lzfCompress appends src compressed to dst; false where that is not shorter.
func lzfCompress(dst, src []byte) ([]byte, bool) {
	if len(src) < 512 { // where it would take longer to empty the table
		var places [1 << 8]int32
		return lzfPack(dst, src, places[:], 32-8)
	}
	var places [1 << 13]int32
	return lzfPack(dst, src, places[:], 32-13)
}

// lzfPack is lzfCompress with a table: behind the last place of three bytes of
// each hash, which is shifted so that it fits.
func lzfPack(dst, src []byte, places []int32, shift uint) ([]byte, bool) {
	from := len(dst)
	limit := from + len(src)
	literal := 0 // where the run of literals begins
	flush := func(end int) {
		for literal < end {
			n := min(end-literal, lzfLiterals)
			dst = append(dst, byte(n-1))
			dst = append(dst, src[literal:literal+n]...)
			literal += n
		}
	}
	place := func(i int) *int32 {
		x := uint32(src[i])<<16 | uint32(src[i+1])<<8 | uint32(src[i+2])
		return &places[x*2654435761>>shift]
	}
	for i := 0; i+2 < len(src); {
		p := place(i)
		at := int(*p) - 1
		*p = int32(i + 1)
		if at < 0 || i-at > lzfNear || src[at] != src[i] || src[at+1] != src[i+1] || src[at+2] != src[i+2] {
			i++
			continue
		}
		n, most := 3, min(lzfLongest, len(src)-i)
		for n+8 <= most && binary.LittleEndian.Uint64(src[at+n:]) == binary.LittleEndian.Uint64(src[i+n:]) {
			n += 8
		}
		for n < most && src[at+n] == src[i+n] {
			n++
		}
		flush(i)
		back := i - at - 1
		if k := n - 2; k < 7 {
			dst = append(dst, byte(k<<5|back>>8), byte(back))
		} else {
			dst = append(dst, byte(7<<5|back>>8), byte(k-7), byte(back))
		}
		if i += n; i+2 < len(src) {
			*place(i - 1) = int32(i)
		}
		literal = i
		if len(dst) >= limit {
			return dst[:from], false
		}
	}
	flush(len(src))
	if len(dst) >= limit {
		return dst[:from], false
	}
	return dst, true
}
