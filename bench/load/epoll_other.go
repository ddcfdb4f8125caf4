//go:build !linux

package load

// drive is the engine of this system.
var drive = driveNet

func onThread() {}
