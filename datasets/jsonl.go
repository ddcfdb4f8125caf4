package datasets

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// maxLine is the longest line that ReadJSONL takes; the longest prompt here
// has 10 kB.
const maxLine = 1 << 20

// ReadJSONL reads one JSON value of type T a line; empty lines are skipped.
// A line may have 1 MiB, all together [Limits.MaxBytes].
func ReadJSONL[T any](r io.Reader, l Limits) ([]T, error) {
	l = l.withDefaults()
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, 1<<16), maxLine)
	var out []T
	var total int64
	line := 0
	for sc.Scan() {
		line++
		b := bytes.TrimSpace(sc.Bytes())
		if len(b) == 0 {
			continue
		}
		if total += int64(len(b)); total > l.MaxBytes {
			return nil, fmt.Errorf("jsonl: line %d: %w: more than %d bytes", line, ErrLimit, l.MaxBytes)
		}
		var v T
		if err := json.Unmarshal(b, &v); err != nil {
			return nil, fmt.Errorf("jsonl: line %d: %w: %w", line, ErrFormat, err)
		}
		out = append(out, v)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("jsonl: line %d: %w", line+1, err)
	}
	return out, nil
}

// LoadJSONL reads the file at path with [ReadJSONL].
func LoadJSONL[T any](path string, l Limits) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	v, err := ReadJSONL[T](f, l)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}
