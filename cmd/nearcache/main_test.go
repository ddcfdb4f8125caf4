package main

import (
	"os"
	"testing"
)

// scratch is a folder for what the package's tests build.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "nearcache-test")
	if err != nil {
		panic(err)
	}
	scratch = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}
