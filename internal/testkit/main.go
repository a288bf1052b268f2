// Package testkit runs real hark, Redis and PostgreSQL servers for tests.
package testkit

import (
	"fmt"
	"net/http"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main runs a package's tests, stops what they shared, and fails when a
// goroutine is left. Call it from TestMain of every package that uses Postgres
// or Hark:
//
//	func TestMain(m *testing.M) { testkit.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	shared.stop()
	built.remove()
	http.DefaultClient.CloseIdleConnections()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "testkit: goroutines are left after the tests:", err)
			code = 1
		}
	}
	os.Exit(code)
}
