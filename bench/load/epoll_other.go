//go:build !linux

package main

// drive is the engine of this system.
var drive = driveNet
