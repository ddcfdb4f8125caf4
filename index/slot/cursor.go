package slot

import "github.com/nearcache/nearcache/index"

// Cursor looks labels up that come in ascending order, or nearly.
type Cursor struct {
	t    *Labels
	page *page
	at   index.Label // of page
}

// Cursor returns one that may be used as long as Labels.
func (t *Labels) Cursor() Cursor { return Cursor{t: t, page: t.page(0)} }

// Slot is the label's slot, or None.
func (c *Cursor) Slot(l index.Label) uint32 {
	if at := l >> pageBits; at != c.at {
		c.page, c.at = c.t.page(l), at
	}
	if c.page == nil {
		return None
	}
	return c.page.slot[l&(1<<pageBits-1)].Load() - 1
}
