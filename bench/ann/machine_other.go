//go:build !linux

package main

import "errors"

func pin() error { return errors.New("only on Linux") }

func cpuTime() float64 { return 0 }

func rss() int64 { return 0 }

func cpuModel() string { return "" }
