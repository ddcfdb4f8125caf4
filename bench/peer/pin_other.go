//go:build !linux

package peer

import "errors"

var errPin = errors.New("cores can be chosen on Linux only")

func pinned(cpus []int, start func() error) error {
	if len(cpus) > 0 {
		return errPin
	}
	return start()
}

// PinThread binds the calling thread, which the goroutine must be locked to.
func PinThread(cpus []int) error {
	if len(cpus) > 0 {
		return errPin
	}
	return nil
}
