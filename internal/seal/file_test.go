package seal_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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

// TestRotationsTakeTurns has several processes rotate at once: no key may be
// lost, since something may be sealed with it already.
func TestRotationsTakeTurns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "hark.keys")
	k, _, err := seal.LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	made := make([]string, 8)
	for i := range made {
		all.Go(func() {
			k, err := seal.RotateFile(path)
			if err != nil {
				t.Error(err)
				return
			}
			made[i] = k.IDs()[0]
		})
	}
	all.Wait()
	got, created, err := seal.LoadOrCreate(path)
	if err != nil || created {
		t.Fatalf("created %v, %v", created, err)
	}
	for _, id := range append(made, k.IDs()...) {
		if !slices.Contains(got.IDs(), id) {
			t.Errorf("key %s is lost", id)
		}
	}
	alone(t, dir)
}

// TestSealerFollowsItsFile shows that what another process seals with a new key
// opens at once, and that a bad file takes no key away.
func TestSealerFollowsItsFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hark.keys")
	if _, err := seal.OpenFile(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no file: %v", err)
	}
	if _, _, err := seal.LoadOrCreate(path); err != nil {
		t.Fatal(err)
	}
	s, err := seal.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	old := s.Seal([]byte("old"), nil)
	if changed, err := s.Refresh(); changed || err != nil {
		t.Errorf("nothing has changed: %v, %v", changed, err)
	}
	k, err := seal.RotateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed := seal.New(k).Seal([]byte("new"), nil)
	if plain, err := s.Open(sealed, nil); err != nil || string(plain) != "new" {
		t.Errorf("sealed elsewhere: %q, %v", plain, err)
	}
	if !bytes.HasPrefix(s.Seal(nil, nil), s.Header()) || bytes.HasPrefix(old, s.Header()) || !slices.Equal(s.IDs(), k.IDs()) {
		t.Error("the first key of the file does not seal")
	}
	if err := os.WriteFile(path, []byte("hark1:cut"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Refresh(); err == nil {
		t.Error("a broken file is taken")
	}
	if plain, err := s.Open(old, nil); err != nil || string(plain) != "old" {
		t.Errorf("after a broken file: %q, %v", plain, err)
	}
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
