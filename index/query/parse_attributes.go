package query

import (
	"math"
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

func (p *parser) apply(n *Node, attrs []attribute) {
	if n.Attrs == nil {
		n.Attrs = &Attrs{Weight: 1}
	}
	a := n.Attrs
	for _, at := range attrs {
		bad := func() { p.fail("Invalid value (%s) for `%s`", near(at.value), near(at.name)) }
		vector := n.Kind == Range
		switch strings.ToLower(at.name) {
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
		case "yield_distance_as":
			if !vector {
				p.fail("Invalid attribute %s", near(at.name))
			}
			a.YieldDistanceAs = at.value
		case "epsilon":
			x, err := strconv.ParseFloat(at.value, 64)
			if !vector || err != nil || !(x > 0) || math.IsInf(x, 0) {
				p.fail("Invalid value (%s) for `%s`: it must be above 0", near(at.value), near(at.name))
			}
			a.Epsilon = x
		case "ef_runtime":
			x, err := strconv.Atoi(at.value)
			if err != nil || x < 1 || x > MaxEF {
				p.fail("Invalid value (%s) for `%s`: it must be from 1 to %d", near(at.value), near(at.name), MaxEF)
			}
			a.EF = x
		case "hybrid_policy", "batch_size":
		default:
			p.fail("Invalid attribute %s", near(at.name))
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

// knn reads [KNN k @field $blob ...].
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
		if strings.EqualFold(name.text, "AS") {
			if text != "" {
				k.As = text
			}
			break
		}
		if len(opts) == 16 {
			p.fail("Error parsing vector similarity parameters: too many parameters")
		}
		opts = append(opts, attribute{name.text, text})
	}
	p.expect(tRSQB)
	p.knnAttributes(k, opts)
	return k
}

func (p *parser) knnAttributes(k *KNN, attrs []attribute) {
	for i, at := range attrs {
		if p.err != nil {
			return
		}
		for _, b := range attrs[:i] {
			if strings.EqualFold(at.name, b.name) {
				p.fail("Error parsing vector similarity parameters: parameter was specified twice")
			}
		}
		bad := func() {
			p.fail("Error parsing vector similarity parameters: Invalid value (%s) for %s", near(at.value), near(at.name))
		}
		switch strings.ToLower(at.name) {
		case "ef_runtime":
			x, err := strconv.Atoi(at.value)
			if err != nil || x < 1 || x > MaxEF {
				p.fail("Error parsing vector similarity parameters: Invalid value (%s) for %s: it must be from 1 to %d", near(at.value), near(at.name), MaxEF)
			}
			k.EF = x
		case "batch_size":
			x, err := strconv.Atoi(at.value)
			if err != nil || x < 1 {
				bad()
			}
			k.BatchSize = x
		case "hybrid_policy":
			k.Policy = strings.ToUpper(at.value)
			if k.Policy != "BATCHES" && k.Policy != "ADHOC_BF" {
				p.fail("Error parsing vector similarity parameters: invalid hybrid policy was given")
			}
		case "epsilon":
			p.fail("Error parsing vector similarity parameters: range query attributes were sent for a non-range query")
		case "yield_distance_as":
			if at.value != "" {
				k.As = at.value
			}
		case "weight", "slop", "inorder", "phonetic":
		default:
			p.fail("Error parsing vector similarity parameters: Invalid option")
		}
	}
}
