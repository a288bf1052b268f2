package testkit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
)

// built is the program under test. It is a variable of the package because
// that is what it stands for: one for each test binary.
var built binary

type binary struct {
	once sync.Once
	dir  string
	err  error
}

// Binary gives the path of the program hark. The first call in a test binary
// builds it, with the race detector when the tests have it; TestMain must call
// Main, which removes it.
func Binary(t testing.TB) string {
	t.Helper()
	built.once.Do(func() { built.err = built.build() })
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path()
}

// Command is the program hark with args, ended with ctx. It sees none of the
// HARK_ variables of the tests' own environment, only those of env.
func Command(ctx context.Context, t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, Binary(t), args...)
	cmd.Env = environ(env)
	cmd.Dir = t.TempDir()
	return cmd
}

func environ(more []string) []string {
	keep := slices.DeleteFunc(os.Environ(), func(v string) bool { return len(v) > 5 && v[:5] == "HARK_" })
	return append(keep, more...)
}

func (b *binary) path() string { return filepath.Join(b.dir, "hark") }

func (b *binary) build() (err error) {
	if b.dir, err = os.MkdirTemp("", "hark-binary-"); err != nil {
		return fmt.Errorf("make a directory for the program: %w", err)
	}
	args := []string{"build", "-o", b.path()}
	if Race() {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "github.com/hark-events/hark/cmd/hark")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

func (b *binary) remove() {
	if b.dir != "" {
		_ = os.RemoveAll(b.dir) // nothing but a file in the system's temporary folder
	}
}

// Race tells whether this test binary has the race detector.
func Race() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
