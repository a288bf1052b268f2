//go:build !linux

package testkit

import "syscall"

// dieWithParent does nothing: only Linux knows a death signal. A test process
// that is killed leaves its servers behind on other systems.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}
