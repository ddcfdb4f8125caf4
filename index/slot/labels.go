package slot

import (
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/index"
)

// None is no slot.
const None = math.MaxUint32

const (
	pageBits = 10
	midBits  = 10
)

// Labels maps labels to slots and remembers each label's last version, also of
// those removed. It takes 12 bytes for each label of the pages in use (1024
// labels each), so labels should be dense. Slot may be called at any time; the
// rest by one goroutine at a time for each label (see Lock).
type Labels struct {
	top     atomic.Pointer[map[index.Label]*mid]
	topMu   sync.Mutex
	stripes [512]struct {
		sync.Mutex
		_ [56]byte
	}
}

type (
	mid struct {
		mu    sync.Mutex
		pages [1 << midBits]atomic.Pointer[page]
	}
	page struct {
		slot    [1 << pageBits]atomic.Uint32 // slot+1, 0 for none
		version [1 << pageBits]uint64        // version+1, 0 for never
	}
)

// Lock makes the caller the only writer of l.
func (t *Labels) Lock(l index.Label) { t.stripes[l%512].Lock() }

// Unlock ends Lock.
func (t *Labels) Unlock(l index.Label) { t.stripes[l%512].Unlock() }

func (t *Labels) page(l index.Label) *page {
	m := t.top.Load()
	if m == nil {
		return nil
	}
	d := (*m)[l>>(pageBits+midBits)]
	if d == nil {
		return nil
	}
	return d.pages[l>>pageBits&(1<<midBits-1)].Load()
}

func (t *Labels) makePage(l index.Label) *page {
	if p := t.page(l); p != nil {
		return p
	}
	hi := l >> (pageBits + midBits)
	t.topMu.Lock()
	old := t.top.Load()
	var d *mid
	if old != nil {
		d = (*old)[hi]
	}
	if d == nil { // readers hold the old map, so a new one is made
		m := map[index.Label]*mid{}
		if old != nil {
			for k, v := range *old {
				m[k] = v
			}
		}
		d = &mid{}
		m[hi] = d
		t.top.Store(&m)
	}
	t.topMu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	at := &d.pages[l>>pageBits&(1<<midBits-1)]
	if at.Load() == nil {
		at.Store(&page{})
	}
	return at.Load()
}

// Slot is the label's slot, or None.
func (t *Labels) Slot(l index.Label) uint32 {
	p := t.page(l)
	if p == nil {
		return None
	}
	return p.slot[l&(1<<pageBits-1)].Load() - 1
}

// Newer reports whether version is newer than the label's last. A label not
// seen before takes any version.
func (t *Labels) Newer(l index.Label, version uint64) bool {
	p := t.page(l)
	if p == nil {
		return true
	}
	last := p.version[l&(1<<pageBits-1)]
	return last == 0 || version > last-1
}

// SetVersion records the label's last version.
func (t *Labels) SetVersion(l index.Label, version uint64) {
	if version == math.MaxUint64 {
		version-- // the largest two are one
	}
	t.makePage(l).version[l&(1<<pageBits-1)] = version + 1
}

// SetSlot records the label's slot; None for none.
func (t *Labels) SetSlot(l index.Label, s uint32) {
	t.makePage(l).slot[l&(1<<pageBits-1)].Store(s + 1)
}

// Each calls f with every label that has a slot.
func (t *Labels) Each(f func(l index.Label, s uint32)) {
	m := t.top.Load()
	if m == nil {
		return
	}
	for hi, d := range *m {
		for i := range d.pages {
			p := d.pages[i].Load()
			if p == nil {
				continue
			}
			for j := range p.slot {
				if s := p.slot[j].Load(); s != 0 {
					f(hi<<(pageBits+midBits)|index.Label(i<<pageBits|j), s-1)
				}
			}
		}
	}
}

// LabelsPage is how many labels a page holds: those of page n begin at n*LabelsPage.
const LabelsPage = 1 << pageBits

// Versions calls f with each page's number, in ascending order, and its labels'
// last versions plus 1, 0 where a label has none. Nobody may be writing.
func (t *Labels) Versions(f func(number uint64, versions *[LabelsPage]uint64) bool) {
	m := t.top.Load()
	if m == nil {
		return
	}
	for _, hi := range slices.Sorted(maps.Keys(*m)) {
		d := (*m)[hi]
		for i := range d.pages {
			if p := d.pages[i].Load(); p != nil && !f(uint64(hi)<<midBits|uint64(i), &p.version) {
				return
			}
		}
	}
}

// MaxLabelsPage is the highest number of a page.
const MaxLabelsPage = math.MaxUint64 >> pageBits

// SetVersions takes back what Versions gave. number is at most MaxLabelsPage,
// and nobody else may be using t.
func (t *Labels) SetVersions(number uint64, versions *[LabelsPage]uint64) {
	// Not by makePage, which copies the map for readers.
	m := t.top.Load()
	if m == nil {
		m = &map[index.Label]*mid{}
		t.top.Store(m)
	}
	hi := index.Label(number >> midBits)
	if (*m)[hi] == nil {
		(*m)[hi] = &mid{}
	}
	(*m)[hi].pages[number&(1<<midBits-1)].Store(&page{version: *versions})
}

// Version is the label's last version plus 1, 0 for never.
func (t *Labels) Version(l index.Label) uint64 {
	if p := t.page(l); p != nil {
		return p.version[l&(1<<pageBits-1)]
	}
	return 0
}

// Bytes is the memory held.
func (t *Labels) Bytes() (n int64) {
	m := t.top.Load()
	if m == nil {
		return 0
	}
	for _, d := range *m {
		n += 8 << midBits
		for i := range d.pages {
			if d.pages[i].Load() != nil {
				n += 12 << pageBits
			}
		}
	}
	return n
}
