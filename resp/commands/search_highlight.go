package commands

import (
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
)

// shown says how fields are shown: SUMMARIZE and HIGHLIGHT.
type shown struct {
	on     bool
	all    showing            // of every field
	fields map[string]showing // of those that are named
	names  []string           // those, in their order
	buf    []byte
}

type showing struct {
	tags    *search.Highlight
	summary *search.Summary
}

func (s *shown) field(name string) showing {
	f := s.fields[name]
	if f.tags == nil {
		f.tags = s.all.tags
	}
	if f.summary == nil {
		f.summary = s.all.summary
	}
	return f
}

// add notes what one option says of the fields it names, or of all.
func (s *shown) add(names []string, f showing) {
	s.on = true
	if names == nil {
		names = []string{""}
	}
	for _, n := range names {
		old := &s.all
		if n != "" {
			if _, ok := s.fields[n]; !ok {
				s.names = append(s.names, n)
			}
			x := s.fields[n]
			old = &x
		}
		if f.tags != nil {
			old.tags = f.tags
		}
		if f.summary != nil {
			old.summary = f.summary
		}
		if n != "" {
			if s.fields == nil {
				s.fields = map[string]showing{}
			}
			s.fields[n] = *old
		}
	}
}

// shownFields reads FIELDS n name….
func shownFields(a *args.Parser, option string) []string {
	if !a.Accept("FIELDS") {
		return nil
	}
	n := a.Int()
	if a.Err() != nil || n < 1 || n > int64(a.Len()) {
		a.Fail(resp.Error("Bad arguments for " + option))
		return nil
	}
	l := make([]string, n)
	for i := range l {
		l[i] = a.String()
	}
	return l
}

// number reads an option's count.
func shownNumber(a *args.Parser) int {
	n := a.Int()
	if a.Err() != nil || n < 1 {
		a.Fail(resp.Error("Bad arguments for SUMMARIZE"))
	}
	return int(clamp(n, 1, maxResults))
}

func (s *shown) parseSummarize(a *args.Parser) {
	names := shownFields(a, "SUMMARIZE")
	f := &search.Summary{Frags: 3, Len: 20, Separator: "... "}
	for a.Err() == nil {
		switch {
		case a.Accept("FRAGS"):
			f.Frags = shownNumber(a)
		case a.Accept("LEN"):
			f.Len = shownNumber(a)
		case a.Accept("SEPARATOR"):
			f.Separator = a.String()
		default:
			s.add(names, showing{summary: f})
			return
		}
	}
}

func (s *shown) parseHighlight(a *args.Parser) {
	names := shownFields(a, "HIGHLIGHT")
	f := &search.Highlight{Open: "<b>", Close: "</b>"}
	if a.Accept("TAGS") {
		if a.Len() < 2 {
			a.Fail(resp.Error("Bad arguments for HIGHLIGHT"))
			return
		}
		f.Open, f.Close = a.String(), a.String()
	}
	s.add(names, showing{tags: f})
}

// limit has only those fields returned that SUMMARIZE and HIGHLIGHT name, unless
// RETURN says otherwise.
func (p *ftSearch) limit() {
	if p.hasReturn || len(p.shown.names) == 0 {
		return
	}
	p.hasReturn = true
	for _, n := range p.shown.names {
		p.returned = append(p.returned, returnField{field: n, as: n})
	}
}

// show is a field's value as the options say; it is valid until the next one.
func (p *ftSearch) show(field string, value []byte) []byte {
	if !p.shown.on || p.res.Terms == nil {
		return value
	}
	f := p.shown.field(field)
	if f.tags == nil && f.summary == nil {
		return value
	}
	p.shown.buf = p.res.Terms.Show(p.shown.buf[:0], field, value, f.tags, f.summary)
	return p.shown.buf
}
