package commands

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestLCSAgreesWithATable compares with the plain dynamic programme, cell by cell.
func TestLCSAgreesWithATable(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	word := func(n, letters int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(255 - rng.IntN(letters))
		}
		return b
	}
	lengths := []int{0, 1, 2, 63, 64, 65, 127, 128, 129, 200}
	for range 400 {
		letters := 1 + rng.IntN(30)
		x, y := word(lengths[rng.IntN(len(lengths))], letters), word(lengths[rng.IntN(len(lengths))], letters)
		table := make([][]int, len(x)+1)
		for i := range table {
			table[i] = make([]int, len(y)+1)
			for j := 1; i > 0 && j <= len(y); j++ {
				if table[i][j] = max(table[i-1][j], table[i][j-1]); x[i-1] == y[j-1] {
					table[i][j] = table[i-1][j-1] + 1
				}
			}
		}
		steps := make(lcsSteps, (len(y)+63)/64*len(x))
		if got, want := lcsLength(x, y, steps), table[len(x)][len(y)]; got != want || lcsLength(x, y, nil) != want {
			t.Fatalf("%x and %x: %d, want %d", x, y, got, want)
		}
		for i := range x {
			for j := range y {
				if got, want := steps.grows(x, i, j), table[i+1][j+1] > table[i+1][j]; got != want {
					t.Fatalf("%x and %x: grows at %d, %d: %v", x, y, i, j, got)
				}
			}
		}
	}
}

func TestLCSOfLongStringsIsRefused(t *testing.T) {
	c := newClient(t, 2)
	for _, n := range [][2]int{{12000, 12000}, {1, maxLCSBytes}} {
		c.run(argv("SET", "a", strings.Repeat("a", n[0])))
		c.run(argv("SET", "b", strings.Repeat("b", n[1])))
		if got := string(c.run(argv("LCS", "a", "b", "LEN"))); got != "-"+string(errLCSMemory)+"\r\n" {
			t.Errorf("%d and %d bytes: %.100q", n[0], n[1], got)
		}
	}
}
