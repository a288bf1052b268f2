//go:build !unix

package socket

import "errors"

// try writes nothing: every write waits.
func try(uintptr, []byte) (n int, err error) { return 0, nil }

// tryRead leaves it to a Read to wait.
func tryRead(uintptr, []byte) (n int, err error) { return 0, errors.ErrUnsupported }

// arrived leaves it to a Read to wait.
func arrived(uintptr) bool { return true }
