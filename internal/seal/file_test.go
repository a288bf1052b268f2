package seal_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hark-events/hark/internal/seal"
)

func TestKeyFileIsMadeOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "hark.keys")
	first, created, err := seal.LoadOrCreate(path)
	if err != nil || !created {
		t.Fatalf("created %v, %v", created, err)
	}
	again, created, err := seal.LoadOrCreate(path)
	if err != nil || created || again.Reveal() != first.Reveal() {
		t.Errorf("created %v, %v", created, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	alone(t, dir)
}

// alone checks that nothing but the key file is left in dir.
func alone(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("files %v, %v", files, err)
	}
}

func TestManyMakeTheKeyFileAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "hark.keys")
	var all sync.WaitGroup
	var mu sync.Mutex
	makers, texts := 0, map[string]bool{}
	for range 32 {
		all.Go(func() {
			k, created, err := seal.LoadOrCreate(path)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			texts[k.Reveal()] = true
			if created {
				makers++
			}
		})
	}
	all.Wait()
	if makers != 1 || len(texts) != 1 {
		t.Errorf("%d made it, %d keysets", makers, len(texts))
	}
	alone(t, dir)
}

func TestSaveReplaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "hark.keys")
	k, _, err := seal.LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	rotated := k.Rotate()
	if err := seal.Save(path, rotated); err != nil {
		t.Fatal(err)
	}
	got, created, err := seal.LoadOrCreate(path)
	if err != nil || created || got.Reveal() != rotated.Reveal() {
		t.Errorf("created %v, %v", created, err)
	}
	alone(t, dir)
}

func TestBadKeyFile(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"open to all":      {fixed, 0o644, "(mode 0644): run chmod 600 "},
		"open to a group":  {fixed, 0o640, "(mode 0640): run chmod 600 "},
		"writable by some": {fixed, 0o602, "(mode 0602): run chmod 600 "},
		"empty":            {"", 0o600, "is empty"},
		"cut":              {fixed[:40], 0o600, "key 1 of the keyset is not 32 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "hark.keys")
			if err := os.WriteFile(path, []byte(tt.text), tt.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil { // whatever the umask
				t.Fatal(err)
			}
			_, created, err := seal.LoadOrCreate(path)
			if err == nil || created || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("created %v, %v", created, err)
			}
			if b, _ := os.ReadFile(path); string(b) != tt.text {
				t.Error("the file was changed")
			}
		})
	}
}

func TestKeyFileWithoutFolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none", "hark.keys")
	if _, created, err := seal.LoadOrCreate(path); err == nil || created {
		t.Errorf("created %v, %v", created, err)
	}
}
