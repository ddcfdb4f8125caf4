package transfer

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/resp/client"
)

// Source reads the keys of a server. It is for one goroutine.
type Source struct {
	Without []string // types of keys that are left out, as TYPE names them

	ctx  context.Context
	conn *client.Conn
	Keys int64 // read so far
}

// Exported is a key.
type Exported struct {
	DB       int
	Key      string
	Type     string
	Payload  []byte // of DUMP
	ExpireAt int64  // Unix ms, 0 for never
}

// digest stands for a key that was seen: 16 bytes of SHA-256, so that no two keys
// are taken for one.
type digest [16]byte

// scanCount is how many keys are asked for at a time.
const scanCount = 500

// Each calls f with every key, database by database.
func (s *Source) Each(f func(*Exported) error) error {
	dbs, err := s.databases()
	if err != nil {
		return err
	}
	for _, db := range dbs {
		if _, err := s.conn.Do("SELECT", db); err != nil {
			return err
		}
		if err := s.eachOf(db, f); err != nil {
			return fmt.Errorf("database %d: %w", db, err)
		}
	}
	return nil
}

// databases are those that hold keys.
func (s *Source) databases() (dbs []int, err error) {
	v, err := s.conn.Do("INFO", "keyspace")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(v.Str) {
		name, _, _ := strings.Cut(line, ":")
		if n, err := strconv.Atoi(strings.TrimPrefix(name, "db")); err == nil && strings.HasPrefix(name, "db") {
			dbs = append(dbs, n)
		}
	}
	sort.Ints(dbs)
	return dbs, nil
}

func (s *Source) eachOf(db int, f func(*Exported) error) error {
	seen := map[digest]struct{}{}
	for cursor := "0"; ; {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		v, err := s.conn.Do("SCAN", cursor, "COUNT", scanCount)
		if err != nil {
			return err
		}
		if len(v.Elems) != 2 {
			return fmt.Errorf("SCAN answers %v", v)
		}
		cursor = v.Elems[0].Str
		var keys []string
		for _, k := range v.Elems[1].Elems {
			sum := sha256.Sum256([]byte(k.Str))
			d := digest(sum[:16])
			if _, twice := seen[d]; !twice {
				seen[d] = struct{}{}
				keys = append(keys, k.Str)
			}
		}
		if err := s.read(db, keys, f); err != nil {
			return err
		}
		if cursor == "0" {
			return nil
		}
	}
}

// read reads keys and calls f with them, one after the other.
func (s *Source) read(db int, keys []string, f func(*Exported) error) error {
	p := s.conn.Pipeline()
	for _, k := range keys {
		p.Add("TYPE", k)
		p.Add("PEXPIRETIME", k)
		p.Add("DUMP", k)
	}
	var e Exported
	var failed error
	err := p.Each(func(i int, v client.Value) {
		key := keys[i/3]
		switch err := v.Err(); {
		case failed != nil:
		case err != nil:
			failed = fmt.Errorf("key %.100q: %w", key, err)
		case i%3 == 0:
			e = Exported{DB: db, Key: key, Type: v.Str}
		case i%3 == 1:
			e.ExpireAt = max(v.Int, 0)
		case v.IsNull() || slices.Contains(s.Without, e.Type): // it is gone meanwhile
		default:
			e.Payload = []byte(v.Str)
			s.Keys++
			failed = f(&e)
		}
	})
	if err != nil {
		return err
	}
	return failed
}
