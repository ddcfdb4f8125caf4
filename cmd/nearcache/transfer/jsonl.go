package transfer

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/rdb"
	"github.com/nearcache/nearcache/store/types/hash"
	jsondoc "github.com/nearcache/nearcache/store/types/json"
	"github.com/nearcache/nearcache/store/types/list"
	"github.com/nearcache/nearcache/store/types/set"
	"github.com/nearcache/nearcache/store/types/str"
	"github.com/nearcache/nearcache/store/types/zset"
)

// line is a key as a line of JSON. A string that is no UTF-8 is {"base64":"…"}.
//
//	string                "text"
//	list, set             ["text", …]
//	hash                  {"field":"text", …}, or [["field","text",expire_at], …]
//	zset                  [["member",1.5], …]
//	json                  the document
//	stream, vectorset     none: dump is what DUMP answers
type line struct {
	DB       int             `json:"db,omitempty"`
	Key      *text           `json:"key"`
	Type     string          `json:"type"`
	Value    json.RawMessage `json:"value,omitempty"`
	Dump     []byte          `json:"dump,omitempty"`
	ExpireAt int64           `json:"expire_at,omitempty"` // Unix ms
}

// text is a string of any bytes.
type text string

type encoded struct {
	Base64 *string `json:"base64"`
}

// MarshalJSON implements json.Marshaler.
func (t text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		err := e.Encode(string(t))
		return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
	}
	s := base64.StdEncoding.EncodeToString([]byte(t))
	return json.Marshal(encoded{&s})
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		var e encoded
		if err := json.Unmarshal(b, &e); err != nil || e.Base64 == nil {
			return errors.New("an object that is not {\"base64\":\"…\"}")
		}
		s, err := base64.StdEncoding.DecodeString(*e.Base64)
		*t = text(s)
		return err
	}
	var s *string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if s == nil {
		return errors.New("null is no string")
	}
	*t = text(*s)
	return nil
}

// score is the score of a member: a number, or "inf" and "-inf".
type score float64

// MarshalJSON implements json.Marshaler.
func (s score) MarshalJSON() ([]byte, error) {
	if f := float64(s); math.IsInf(f, 0) {
		return json.Marshal(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return strconv.AppendFloat(nil, float64(s), 'g', -1, 64), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *score) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(string(bytes.Trim(b, `"`)), 64)
	if err == nil && f != f {
		err = errors.New("a score that is no number")
	}
	*s = score(f)
	return err
}

// pair is an array of two.
type pair[A, B any] struct {
	a A
	b B
}

// MarshalJSON implements json.Marshaler.
func (p pair[A, B]) MarshalJSON() ([]byte, error) { return json.Marshal([2]any{p.a, p.b}) }

// UnmarshalJSON implements json.Unmarshaler.
func (p *pair[A, B]) UnmarshalJSON(b []byte) error { return unmarshalArray(b, 2, &p.a, &p.b) }

// unmarshalArray reads an array of at least so many elements, and at most as many
// as there are places.
func unmarshalArray(b []byte, least int, into ...any) error {
	var l []json.RawMessage
	if err := json.Unmarshal(b, &l); err != nil {
		return err
	}
	if len(l) < least || len(l) > len(into) {
		return fmt.Errorf("an array of %d elements, not %d", len(l), least)
	}
	for i, x := range l {
		if err := json.Unmarshal(x, into[i]); err != nil {
			return err
		}
	}
	return nil
}

// field is a field of a hash with its time, 0 for never.
type field struct {
	name, value text
	at          int64
}

// MarshalJSON implements json.Marshaler.
func (f field) MarshalJSON() ([]byte, error) {
	if f.at == 0 {
		return json.Marshal([2]any{f.name, f.value})
	}
	return json.Marshal([3]any{f.name, f.value, f.at})
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *field) UnmarshalJSON(b []byte) error { return unmarshalArray(b, 2, &f.name, &f.value, &f.at) }

// encode is a value as JSON; nil where it has no form but that of DUMP.
func encode(o object.Object) (any, bool) {
	switch v := o.(type) {
	case *str.Value:
		return text(v.B), true
	case *list.Value:
		l := []text{}
		v.Rebuild(nil, func(args ...[]byte) {
			for _, a := range args[2:] { // RPUSH key …
				l = append(l, text(a))
			}
		})
		return l, true
	case *set.Value:
		l := []text{}
		v.Each(func(m []byte) bool { l = append(l, text(m)); return true })
		return l, true
	case *zset.Value:
		l := []pair[text, score]{}
		for it := v.From(0, false); it.Next(); {
			l = append(l, pair[text, score]{text(it.Member()), score(it.Score())})
		}
		return l, true
	case *hash.Value:
		var l []field
		plain := true
		v.Each(func(name string, value []byte) bool {
			at, _ := v.Expiry([]byte(name))
			plain = plain && at == 0 && utf8.ValidString(name)
			l = append(l, field{text(name), text(value), at})
			return true
		})
		if !plain {
			return l, true
		}
		m := make(map[string]text, len(l))
		for _, f := range l {
			m[string(f.name)] = f.value
		}
		return m, true
	case *jsondoc.Value:
		return json.RawMessage(v.Root().Append(nil)), true
	}
	return nil, false
}

// ExportJSONL writes all keys of a source, one a line.
func ExportJSONL(from *Source, w io.Writer) error {
	b := bufio.NewWriterSize(w, 256<<10)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	err := from.Each(func(k *Exported) error {
		o, err := rdb.Restore(k.Payload)
		if err != nil {
			return fmt.Errorf("key %.100q: %w", k.Key, err)
		}
		key := text(k.Key)
		l := line{DB: k.DB, Key: &key, Type: o.Type().Name, ExpireAt: k.ExpireAt}
		if v, ok := encode(o); !ok {
			l.Dump = k.Payload
		} else {
			var one bytes.Buffer
			enc := json.NewEncoder(&one)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(v); err != nil {
				return fmt.Errorf("key %.100q: %w", k.Key, err)
			}
			l.Value = bytes.TrimSuffix(one.Bytes(), []byte("\n"))
		}
		return e.Encode(l)
	})
	return errors.Join(err, b.Flush())
}

// Documents say how lines that are documents of any form become keys.
type Documents struct {
	As     string // "hash" or "json"; "" for lines that export has written
	Prefix string // of the keys
	ID     string // the field whose value follows the prefix; where it is missing the line's number does
}

// maxLine is the longest line that is read.
const maxLine = 512 << 20

// ImportJSONL enters lines of JSON.
func ImportJSONL(src io.Reader, to *Sink, d Documents, replace bool) error {
	r := bufio.NewReaderSize(src, 256<<10)
	var b []byte
	var doc jsondoc.Doc
	for n, at := 1, int64(0); ; n++ {
		b = b[:0]
		var err error
		for more := true; more; {
			var part []byte
			part, err = r.ReadSlice('\n')
			more = err == bufio.ErrBufferFull
			if b = append(b, part...); len(b) > maxLine {
				return to.End(fmt.Errorf("line %d is longer than %d bytes", n, maxLine))
			}
		}
		if err != nil && err != io.EOF {
			return to.End(fmt.Errorf("line %d: %w", n, err))
		}
		if one := bytes.TrimSpace(b); len(one) > 0 {
			failed := strict(&doc, one)
			switch {
			case failed != nil:
			case d.As == "":
				failed = importLine(one, to, at, replace)
			default:
				failed = d.enter(one, n, to, at)
			}
			if failed != nil {
				return to.End(fmt.Errorf("line %d, which begins at byte %d: %w", n, at, failed))
			}
		}
		at += int64(len(b))
		if err == io.EOF {
			return to.Flush()
		}
	}
}

// strict refuses what encoding/json reads as something else than it is: bytes that are no UTF-8 and halves of UTF-16 pairs, all
// of them the same character, and numbers that are none.
func strict(d *jsondoc.Doc, b []byte) error {
	for at := 0; at < len(b); {
		r, size := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && size == 1 {
			return fmt.Errorf("column %d: it is no UTF-8", at+1)
		}
		at += size
	}
	err := d.Parse(b)
	if e := (*jsondoc.SyntaxError)(nil); errors.As(err, &e) {
		return fmt.Errorf("column %d: %s", e.Column, e.What)
	}
	return err
}

// importLine enters a line that export has written.
func importLine(b []byte, to *Sink, at int64, replace bool) error {
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return err
	}
	if l.Type == "" {
		return errors.New("no type: is it a document? Then say -as hash or -as json")
	}
	if l.ExpireAt != 0 && l.ExpireAt <= time.Now().UnixMilli() {
		to.Report.Expired++
		return nil
	}
	if l.Key == nil {
		return errors.New("no key")
	}
	o, err := l.object()
	if err != nil {
		return fmt.Errorf("key %.100q, of type %q: %w", *l.Key, l.Type, err)
	}
	it := rdb.Item{DB: l.DB, Key: []byte(*l.Key), Value: o, ExpireAt: l.ExpireAt, Idle: -1, Frequency: -1}
	_, err = restore(to, nil, &it, at, replace)
	return err
}

var (
	errEmpty = errors.New("no elements")
	errTwice = errors.New("an element is there twice")
)

// object makes the value.
func (l *line) object() (object.Object, error) {
	if l.Dump != nil {
		return rdb.Restore(l.Dump)
	}
	switch l.Type {
	case str.Type.Name:
		var t text
		err := json.Unmarshal(l.Value, &t)
		return str.Copy([]byte(t)), err
	case list.Type.Name:
		var all []text
		var b list.Loader
		if err := json.Unmarshal(l.Value, &all); err != nil || len(all) == 0 {
			return nil, orEmpty(err)
		}
		for _, t := range all {
			b.Add([]byte(t))
		}
		return b.End(), nil
	case set.Type.Name:
		var all []text
		if err := json.Unmarshal(l.Value, &all); err != nil || len(all) == 0 {
			return nil, orEmpty(err)
		}
		v := set.New([]byte(all[0]), len(all))
		for _, t := range all {
			v.Add([]byte(t))
		}
		return once(v, v.Len() == len(all))
	case zset.Type.Name:
		var all []pair[text, score]
		if err := json.Unmarshal(l.Value, &all); err != nil || len(all) == 0 {
			return nil, orEmpty(err)
		}
		v := zset.New(0, 0)
		for _, p := range all {
			v.Set([]byte(p.a), float64(p.b))
		}
		return once(v, v.Len() == len(all))
	case hash.Type.Name:
		return l.hash()
	case jsondoc.Type.Name, "json":
		var d jsondoc.Doc
		if err := d.Parse(l.Value); err != nil {
			return nil, err
		}
		return jsondoc.New(&d), nil
	}
	return nil, errors.New("a type that is not known, or whose form is that of DUMP")
}

// once is a value whose elements were there once each.
func once(v object.Object, all bool) (object.Object, error) {
	if !all {
		return nil, errTwice
	}
	return v, nil
}

func orEmpty(err error) error {
	if err == nil {
		return errEmpty
	}
	return err
}

func (l *line) hash() (object.Object, error) {
	var all []field
	if len(l.Value) > 0 && l.Value[0] == '{' {
		var m map[string]text
		if err := json.Unmarshal(l.Value, &m); err != nil {
			return nil, err
		}
		for name, value := range m {
			all = append(all, field{text(name), value, 0})
		}
	} else if err := json.Unmarshal(l.Value, &all); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errEmpty
	}
	v := hash.New()
	for _, f := range all {
		if v.Set([]byte(f.name), []byte(f.value)); f.at > 0 && f.at < 1<<46 {
			v.SetExpiry([]byte(f.name), f.at)
		} else if f.at != 0 {
			return nil, fmt.Errorf("field %.100q lives until %d", f.name, f.at)
		}
	}
	return once(v, v.Len() == len(all))
}

// enter enters a document.
func (d *Documents) enter(b []byte, n int, to *Sink, at int64) error {
	args, err := d.command(b, n)
	switch {
	case err != nil:
		return err
	case args == nil:
		to.Report.skip("a document without fields")
		return nil
	}
	return to.Send(0, fmt.Sprintf("key %.100q", args[1]), at, args...)
}

// command is what enters a document; nil for one of which a hash would hold nothing.
func (d *Documents) command(b []byte, n int) ([][]byte, error) {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, err
	}
	if doc == nil {
		return nil, errors.New("null is no document")
	}
	id := []byte(strconv.Itoa(n))
	if raw, ok := doc[d.ID]; ok && raw[0] != 'n' {
		if strings.IndexByte("{[tf", raw[0]) >= 0 {
			return nil, fmt.Errorf("the field %q is neither text nor a number", d.ID)
		}
		var err error
		if id, err = hashValue(raw); err != nil {
			return nil, err
		}
	}
	key := append([]byte(d.Prefix), id...)
	if d.As == "json" {
		return [][]byte{[]byte("JSON.SET"), key, []byte("$"), slices.Clone(b)}, nil
	}
	args := [][]byte{[]byte("HSET"), key}
	for _, name := range slices.Sorted(maps.Keys(doc)) {
		value, err := hashValue(doc[name])
		if err != nil {
			return nil, fmt.Errorf("the field %.100q: %w", name, err)
		}
		if value != nil {
			args = append(args, []byte(name), value)
		}
	}
	if len(args) == 2 {
		return nil, nil
	}
	return args, nil
}

// hashValue is what a hash holds of a JSON value: nothing (nil) of null, of a string its text, of an array of
// numbers a float32 vector, of anything else its JSON.
func hashValue(raw json.RawMessage) ([]byte, error) {
	switch raw[0] {
	case 'n':
		return nil, nil
	case '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return []byte(s), err
	case '[':
		if bytes.Contains(raw, []byte("null")) {
			break
		}
		var v []float32
		var wide []float64
		if json.Unmarshal(raw, &v) == nil && len(v) > 0 {
			b := make([]byte, 0, 4*len(v))
			for _, x := range v {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
			}
			return b, nil
		}
		if json.Unmarshal(raw, &wide) == nil && len(wide) > 0 {
			return nil, errors.New("a vector of numbers too large for a float32")
		}
	}
	return raw, nil
}
