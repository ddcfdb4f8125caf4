package query

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

type attribute struct{ name, value string }

// attributes reads {$name: value; ...} behind an arrow.
func (p *parser) attributes() []attribute {
	p.expect(tLB)
	var out []attribute
	for p.err == nil && p.tok.kind != tRB {
		name := p.tok.text
		p.expect(tAttr)
		p.expect(tColon)
		neg := p.accept(tMinus)
		v := p.tok.text
		switch p.tok.kind {
		case tTerm, tNumber:
		case tAttr:
			v = string(p.param(v))
		default:
			p.syntax()
		}
		if neg {
			v = "-" + v
		}
		if len(out) == 64 {
			p.fail("Too many attributes")
		}
		out = append(out, attribute{name, v})
		if p.err == nil {
			p.next()
		}
		if p.tok.kind != tRB {
			p.expect(tSemicolon)
		}
	}
	p.expect(tRB)
	return out
}

// badVector refuses a parameter of a KNN or a range.
func (p *parser) badVector(why string) {
	p.fail("Error parsing vector similarity parameters: %s", why)
}

const (
	invalidValue  = "Invalid value was given"
	invalidOption = "Invalid option"
	twice         = "Parameter was specified twice"
)

// tune reads a parameter that a KNN and a range share; false for another.
func (p *parser) tune(t *Tuning, name, value string) bool {
	number := func(most int) int {
		x, err := strconv.Atoi(value)
		if err != nil || x < 1 || x > most {
			p.badVector(invalidValue)
		}
		return x
	}
	switch name {
	case "search_window_size":
		t.Window = number(MaxEF)
	case "search_buffer_capacity":
		t.Buffer = number(math.MaxInt32)
	case "use_search_history":
		if t.History = strings.ToUpper(value); !slices.Contains([]string{"ON", "OFF", "AUTO"}, t.History) {
			p.badVector(invalidValue)
		}
	case "ef_runtime":
		t.EF = number(MaxEF)
	default:
		return false
	}
	return true
}

// isTwice reports whether the i-th of a vector's attributes was there before.
func isTwice(attrs []attribute, i int) bool {
	return slices.ContainsFunc(attrs[:i], func(b attribute) bool { return strings.EqualFold(attrs[i].name, b.name) })
}

func (p *parser) apply(n *Node, attrs []attribute) {
	if n.Attrs == nil {
		n.Attrs = &Attrs{Weight: 1}
	}
	a := n.Attrs
	vector := n.Kind == Range
	for i, at := range attrs {
		if vector && isTwice(attrs, i) {
			p.badVector(twice)
		}
		bad := func() { p.fail("Invalid value (%s) for `%s`", near(at.value), near(at.name)) }
		name := strings.ToLower(at.name)
		switch name {
		case "weight":
			w, err := strconv.ParseFloat(at.value, 64)
			if err != nil || !(w >= 0) || math.IsInf(w, 0) {
				bad()
			}
			a.Weight = w
		case "slop":
			x, err := strconv.Atoi(at.value)
			if err != nil || x < -1 {
				bad()
			}
			a.Slop, a.HasSlop = x, x >= 0
		case "inorder":
			b, ok := parseBool(at.value)
			if !ok {
				bad()
			}
			a.InOrder = b
		case "phonetic":
			b, ok := parseBool(at.value)
			if !ok {
				bad()
			}
			if a.Phonetic = PhoneticOff; b {
				a.Phonetic = PhoneticOn
			}
		case yieldDistanceAs:
			if !vector {
				p.fail("Invalid attribute %s", near(at.name))
			}
			a.YieldDistanceAs = at.value
		case "epsilon":
			if !vector {
				p.fail("Invalid attribute %s", near(at.name))
			}
			x, err := strconv.ParseFloat(at.value, 64)
			if err != nil || !(x > 0) || math.IsInf(x, 0) {
				p.badVector(invalidValue)
			}
			a.Epsilon = x
		case "ef_runtime":
			if vector {
				p.badVector(invalidOption)
			}
			p.tune(&a.Tuning, name, at.value)
		case "hybrid_policy", "batch_size":
			if vector {
				p.badVector("hybrid query attributes were sent for a non-hybrid query")
			}
		default:
			if !vector || !p.tune(&a.Tuning, name, at.value) {
				p.fail("Invalid attribute %s", near(at.name))
			}
		}
	}
}

func parseBool(s string) (v, ok bool) {
	switch strings.ToLower(s) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

// knn reads [KNN k @field $blob ...], and the attributes behind it.
func (p *parser) knn() *KNN {
	p.expect(tLSQB)
	if p.err == nil && p.tok.kind == tTerm && !strings.EqualFold(p.tok.text, "KNN") {
		p.fail("Syntax error: Expecting Vector Similarity command at offset %d near %s", p.tok.pos, near(p.tok.text))
	}
	p.expect(tTerm)
	k := &KNN{}
	t := p.tok
	kText := t.text
	switch {
	case p.err != nil:
		return nil
	case t.kind == tNumber && t.size:
	case t.kind == tAttr:
		kText = string(p.param(t.text))
	default:
		p.syntax()
	}
	if p.err != nil {
		return nil
	}
	n, err := strconv.ParseUint(kText, 10, 64)
	switch {
	case err != nil && t.kind == tAttr:
		p.fail("Invalid numeric value (%s) for parameter `%s`", near(kText), near(t.text))
	case n == 0:
		p.fail("Error parsing vector similarity query: query KNN K parameter must be a positive integer")
	case err != nil || n > MaxK:
		p.fail("Error parsing vector similarity query: query KNN K parameter is too large, must not exceed %d", uint64(MaxK))
	}
	k.K = int(n)
	p.next()
	k.Field, k.Offset = p.tok.text, p.tok.pos
	p.expect(tModifier)
	k.BlobParam = p.tok.text
	p.expect(tAttr)
	if p.err != nil {
		return nil
	}
	k.Blob = p.param(k.BlobParam)
	k.As = "__" + k.Field + "_score"
	var opts []attribute
	for p.err == nil && p.tok.kind != tRSQB {
		name := p.tok
		p.expect(tTerm)
		as, sign := strings.EqualFold(name.text, "AS"), ""
		if !as && p.accept(tMinus) {
			sign = "-"
		}
		v, isParam := p.tok, p.tok.kind == tAttr
		switch v.kind {
		case tTerm, tNumber, tAttr:
		default:
			p.syntax()
			return nil
		}
		p.next()
		text := v.text
		if isParam {
			text = string(p.param(v.text))
		}
		if as {
			opts = append(opts, attribute{yieldDistanceAs, text})
			break
		}
		if len(opts) == 16 {
			p.badVector("too many parameters")
		}
		opts = append(opts, attribute{name.text, sign + text})
	}
	p.expect(tRSQB)
	if p.err == nil && p.accept(tArrow) {
		opts = append(opts, p.attributes()...)
	}
	p.knnAttributes(k, opts)
	return k
}

// yieldDistanceAs is the attribute that says what AS does.
const yieldDistanceAs = "yield_distance_as"

func (p *parser) knnAttributes(k *KNN, attrs []attribute) {
	named := ""
	for i, at := range attrs {
		if p.err != nil {
			return
		}
		name := strings.ToLower(at.name)
		if name != yieldDistanceAs && isTwice(attrs, i) {
			p.badVector(twice)
		}
		switch name {
		case "batch_size":
			x, err := strconv.Atoi(at.value)
			if err != nil || x < 1 {
				p.badVector(invalidValue)
			}
			k.BatchSize = x
		case "hybrid_policy":
			k.Policy = strings.ToUpper(at.value)
			if k.Policy != "BATCHES" && k.Policy != adHoc {
				p.badVector("invalid hybrid policy was given")
			}
		case "epsilon":
			p.badVector("range query attributes were sent for a non-range query")
		case yieldDistanceAs:
			if named != "" {
				p.fail("Distance field was specified twice for vector query: %s and %s", near(named), near(at.value))
			}
			if named = at.value; named != "" {
				k.As = named
			}
		case "weight", "slop", "inorder", "phonetic":
		default:
			if !p.tune(&k.Tuning, name, at.value) {
				p.badVector(invalidOption)
			}
		}
	}
	switch {
	case k.Policy == adHoc && k.BatchSize > 0:
		p.badVector("'batch size' is irrelevant for 'ADHOC_BF' policy")
	case k.Policy == adHoc && k.EF > 0:
		p.badVector("'EF_RUNTIME' is irrelevant for 'ADHOC_BF' policy")
	}
}

// adHoc is the HYBRID_POLICY that looks at all that the filter lets through.
const adHoc = "ADHOC_BF"
