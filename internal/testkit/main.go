// Package testkit runs real Redis and PostgreSQL servers for tests.
package testkit

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main runs a package's tests, stops what they shared, and fails when a
// goroutine is left. Call it from TestMain of every package that uses Postgres:
//
//	func TestMain(m *testing.M) { testkit.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	shared.stop()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "testkit: goroutines are left after the tests:", err)
			code = 1
		}
	}
	os.Exit(code)
}
