//go:build !linux

package ann

import "errors"

func pin(bool, ...int) error { return errors.New("only on Linux") }

func cpuTime() float64 { return 0 }

func memoryOf(int) memory { return memory{} }

func cpuModel() string { return "" }
