package peer

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// pinned calls start bound to the cores, which a process started by it
// inherits with all its threads: a server that counts its cores sees these.
func pinned(cpus []int, start func() error) error {
	if len(cpus) == 0 {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	if err := PinThread(cpus); err != nil {
		return err
	}
	err := start()
	if undo := unix.SchedSetaffinity(0, &all); err == nil {
		err = undo
	}
	return err
}

// PinThread binds the calling thread, which the goroutine must be locked to.
func PinThread(cpus []int) error {
	if len(cpus) == 0 {
		return nil
	}
	var set unix.CPUSet
	for _, c := range cpus {
		set.Set(c)
	}
	return unix.SchedSetaffinity(0, &set)
}
