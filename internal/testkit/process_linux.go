package testkit

import "syscall"

// dieWithParent has the kernel send sig to the child when its parent dies.
func dieWithParent(a *syscall.SysProcAttr, sig syscall.Signal) { a.Pdeathsig = sig }
