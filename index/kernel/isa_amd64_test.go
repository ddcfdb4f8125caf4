//go:build !noasm

package kernel

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/cpu"
)

// TestAVX512CanBeSwitchedOff: with GODEBUG=cpu.avx512f=off, as CI runs the tests of
// index once, the AVX2 kernels are chosen wherever there are both.
func TestAVX512CanBeSwitchedOff(t *testing.T) {
	const off = "cpu.avx512f=off"
	if os.Getenv("GODEBUG") != off {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAVX512CanBeSwitchedOff$", "-test.v")
		cmd.Env = append(os.Environ(), "GODEBUG="+off)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if cpu.X86.HasAVX512F {
		t.Fatal("the setting has no effect")
	}
	for _, k := range All {
		if b := Best(k.Op, k.Type); b.ISA != "avx2" && hasF16C() {
			t.Errorf("%v of %v: %s", k.Op, k.Type, b.ISA)
		}
	}
}
