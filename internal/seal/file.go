package seal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// maxFile is more than any key file needs, in bytes.
const maxFile = 64 << 10

// LoadOrCreate reads the key file at path, or makes it with a new Keyset and
// mode 0600. Processes that do so at once get the same Keyset; a process that
// is killed leaves either no key file or a whole one. A file that its group or
// others may use is refused.
func LoadOrCreate(path string) (k Keyset, created bool, err error) {
	k, err = load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, false, err
	}
	k = NewKeyset()
	err = write(path, k, os.Link) // unlike a rename, it never replaces
	if errors.Is(err, fs.ErrExist) {
		k, err = load(path)
		return k, false, err
	}
	if err != nil {
		return Keyset{}, false, err
	}
	return k, true, nil
}

// OpenFile makes a Sealer with the keys of the file at path, which follows the
// file when it changes. An error is fs.ErrNotExist when there is none.
func OpenFile(path string) (*Sealer, error) {
	s := &Sealer{file: path}
	if _, err := s.Refresh(); err != nil {
		return nil, err
	}
	return s, nil
}

// Refresh reads the key file again, if s has one and it is another than before,
// and tells whether the keys have changed. After an error s has the keys that it had.
func (s *Sealer) Refresh() (changed bool, err error) {
	if s.file == "" {
		return false, nil
	}
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	info, err := os.Stat(s.file)
	if err != nil {
		return false, fmt.Errorf("read the key file: %w", err)
	}
	if s.seen != nil && os.SameFile(info, s.seen) && info.ModTime().Equal(s.seen.ModTime()) {
		return false, nil
	}
	k, err := load(s.file)
	if err != nil {
		return false, err
	}
	old := s.keys.Load()
	s.seen = info
	s.keys.Store(newKeyring(k))
	return old == nil || !slices.Equal(old.ids, k.IDs()), nil
}

// RotateFile puts a new first key into the key file at path. Processes that do
// so at once take turns, so none loses the key of another.
func RotateFile(path string) (k Keyset, err error) {
	dir, err := os.Open(filepath.Dir(path)) // the file itself is replaced
	if err != nil {
		return Keyset{}, fmt.Errorf("lock the key file: %w", err)
	}
	defer dir.Close() // drops the lock
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return Keyset{}, fmt.Errorf("lock the key file: %w", err)
	}
	if k, err = load(path); err != nil {
		return Keyset{}, err
	}
	k = k.Rotate()
	return k, write(path, k, os.Rename)
}

func load(path string) (Keyset, error) {
	f, err := os.Open(path)
	if err != nil {
		return Keyset{}, fmt.Errorf("read the key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Keyset{}, fmt.Errorf("read the key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Keyset{}, fmt.Errorf("the key file %s is open to other users (mode %04o): run chmod 600 %[1]s", path, info.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return Keyset{}, fmt.Errorf("read the key file: %w", err)
	}
	k, err := ParseKeyset(string(b))
	if err != nil {
		return Keyset{}, fmt.Errorf("read the key file %s: %w", path, err)
	}
	return k, nil
}

// write has a file with k on the disk, then lets place bring it to path.
func write(path string, k Keyset, place func(from, to string) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write the key file: %w", err)
		}
	}()
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after a rename there is nothing to remove
	_, err = f.WriteString(k.Reveal() + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := place(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the new name last: values sealed with keys that a power cut
// took away would be lost.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
