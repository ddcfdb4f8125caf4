package main

import (
	"io"
	"strings"
	"testing"
)

func TestBenchSaysWhatThereIs(t *testing.T) {
	for _, args := range [][]string{{"bench"}, {"bench", "nothing"}} {
		if err := run(args, io.Discard); err == nil || !strings.Contains(err.Error(), "bench ann") || !strings.Contains(err.Error(), "bench load") {
			t.Errorf("%v: %v", args, err)
		}
	}
	if err := run([]string{"bench", "ann", "-parts", "nothing"}, io.Discard); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("%v", err)
	}
}
