//go:build !linux

package ann

import "errors"

func pin(bool, ...int) error { return errors.New("only on Linux") }

func onCore(int) (undo func()) { return func() {} }

func cpuTime() float64 { return 0 }

func threadTime() int64 { return 0 }

func memoryOf(int) memory { return memory{} }

func cpuModel() string { return "" }
