//go:build !linux

package store

import "time"

// rest sleeps.
func rest(d time.Duration) { time.Sleep(d) }
