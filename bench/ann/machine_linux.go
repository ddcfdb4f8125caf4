package ann

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// pin binds all threads of the processes (0 is this one), and what they start
// later, to the core that has the least to do, or back to all cores.
func pin(one bool, pids ...int) error {
	var all, set unix.CPUSet
	if err := unix.SchedGetaffinity(1, &all); err != nil { // of init, which nobody pins
		return err
	}
	set = all
	if one {
		set = only(all, idlest())
	}
	for _, pid := range pids {
		tasks, err := os.ReadDir(proc(pid) + "task")
		if err != nil {
			return err
		}
		for _, t := range tasks {
			id, err := strconv.Atoi(t.Name())
			if err != nil {
				return err
			}
			if err := unix.SchedSetaffinity(id, &set); err != nil {
				return fmt.Errorf("task %d: %w", id, err)
			}
		}
	}
	return nil
}

// only is one core of a set: the given one if the set has it, otherwise the
// first, and for -1 the last.
func only(all unix.CPUSet, which int) (one unix.CPUSet) {
	for i := range 1024 {
		cpu := i
		if which < 0 {
			cpu = 1023 - i
		}
		if all.IsSet(cpu) {
			one.Set(cpu)
			break
		}
	}
	if which >= 0 && all.IsSet(which) {
		one.Zero()
		one.Set(which)
	}
	return one
}

// idlest is the core that idled most in half a second, the last one of equals:
// interrupts like the first. -1 if that cannot be read.
func idlest() int {
	before := idle()
	time.Sleep(500 * time.Millisecond)
	best, most := -1, -1
	for cpu, after := range idle() {
		if n := after - before[cpu]; n > most || n == most && cpu > best {
			best, most = cpu, n
		}
	}
	return best
}

// idle reads how long each core has had nothing to do, in the kernel's ticks.
func idle() map[int]int {
	ticks := map[int]int{}
	b, _ := os.ReadFile("/proc/stat") // unreadable: an empty map
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 6 || !strings.HasPrefix(f[0], "cpu") {
			continue
		}
		cpu, err := strconv.Atoi(f[0][3:])
		if err != nil {
			continue
		}
		for _, s := range f[4:6] { // idle, waiting for a disk
			n, _ := strconv.Atoi(s)
			ticks[cpu] += n
		}
	}
	return ticks
}

// onCore binds the goroutine to a thread and that to the first core (0) or the
// last (-1); what it returns undoes both.
func onCore(which int) (undo func()) {
	runtime.LockOSThread()
	var all unix.CPUSet
	if unix.SchedGetaffinity(0, &all) == nil {
		one := only(all, which)
		_ = unix.SchedSetaffinity(0, &one) // refused, the measurement is only noisier
	}
	return func() {
		_ = unix.SchedSetaffinity(0, &all)
		runtime.UnlockOSThread()
	}
}

func proc(pid int) string {
	if pid == 0 {
		return "/proc/self/"
	}
	return fmt.Sprintf("/proc/%d/", pid)
}

func cpuTime() float64 {
	var ru unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &ru) != nil {
		return 0
	}
	return float64(ru.Utime.Nano()+ru.Stime.Nano()) / 1e9
}

// threadTime is the processor time of this thread in nanoseconds.
func threadTime() int64 {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return t.Nano()
}

// memoryOf reads what a process (0 is this one) has in memory.
func memoryOf(pid int) (m memory) {
	b, err := os.ReadFile(proc(pid) + "smaps_rollup")
	if err != nil {
		return m
	}
	var rss int64
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(f[1], 10, 64)
		switch f[0] {
		case "Rss:":
			rss = n << 10
		case "Anonymous:":
			m.Anon = n << 10
		case "AnonHugePages:":
			m.Huge = n << 10
		}
	}
	m.File = rss - m.Anon
	return m
}

func cpuModel() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
