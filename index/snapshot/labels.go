package snapshot

import (
	"encoding/binary"
	"unsafe"

	"github.com/nearcache/nearcache/index/slot"
)

// versionsRow is a page of labels: its number and their versions plus 1.
const versionsRow = 8 + 8*slot.LabelsPage

// Versions is the section of the labels' last versions, of those removed too.
// Nobody may be writing to t.
func Versions(t *slot.Labels) Section {
	pages := 0
	t.Versions(func(uint64, *[slot.LabelsPage]uint64) bool {
		pages++
		return true
	})
	row := make([]byte, versionsRow)
	return Section{Name: "versions", Row: versionsRow, Rows: pages, Data: func(yield func([]byte) bool) {
		t.Versions(func(number uint64, versions *[slot.LabelsPage]uint64) bool {
			binary.LittleEndian.PutUint64(row, number)
			copy(row[8:], unsafe.Slice((*byte)(unsafe.Pointer(versions)), 8*slot.LabelsPage))
			return yield(row)
		})
	}}
}

// Versions reads the next section, which has to be one of versions, to t.
func (r *Reader) Versions(t *slot.Labels) error {
	pages, err := r.Rows("versions", versionsRow)
	if err != nil {
		return err
	}
	last := int64(-1)
	return r.Each("versions", versionsRow, pages, func(i int, b []byte) error {
		number := binary.LittleEndian.Uint64(b)
		if number > slot.MaxLabelsPage || int64(number) <= last {
			return r.Bad("versions", i, "page %d of labels after page %d", number, last)
		}
		last = int64(number)
		var versions [slot.LabelsPage]uint64
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&versions)), 8*slot.LabelsPage), b[8:])
		t.SetVersions(number, &versions)
		return nil
	})
}
