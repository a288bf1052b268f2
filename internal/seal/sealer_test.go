package seal_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/hark-events/hark/internal/seal"
)

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	s := seal.New(seal.NewKeyset())
	for _, plain := range []string{"", "x", "a password that is longer than one block of the cipher"} {
		sealed := s.Seal([]byte(plain), []byte("row 1"))
		if got, err := s.Open(sealed, []byte("row 1")); err != nil || string(got) != plain {
			t.Errorf("%q became %q, %v", plain, got, err)
		}
		if len(sealed) != len(plain)+33 || len(plain) > 1 && bytes.Contains(sealed, []byte(plain)) {
			t.Errorf("%q sealed is %x", plain, sealed)
		}
		if bytes.Equal(sealed, s.Seal([]byte(plain), []byte("row 1"))) {
			t.Error("sealed twice it is the same")
		}
	}
}

// golden is hunter2 for row 1, sealed with the first key of fixed.
const golden = "01630dcd298502a38ef5488ba25a9a1a6dffaf27198bf8b6949016ecb474f52df153f649db7ff48d"

// TestFormStays opens a value that an earlier build sealed.
func TestFormStays(t *testing.T) {
	t.Parallel()
	sealed, err := hex.DecodeString(golden)
	if err != nil {
		t.Fatal(err)
	}
	got, err := seal.New(parse(t, fixed)).Open(sealed, []byte("row 1"))
	if err != nil || string(got) != "hunter2" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestMovedValueDoesNotOpen(t *testing.T) {
	t.Parallel()
	s := seal.New(seal.NewKeyset())
	sealed := s.Seal([]byte("x"), []byte("row 1"))
	for _, ad := range []string{"row 2", "", "row 11"} {
		if _, err := s.Open(sealed, []byte(ad)); !errors.Is(err, seal.ErrBroken) {
			t.Errorf("%q: %v", ad, err)
		}
	}
}

func TestChangedValueDoesNotOpen(t *testing.T) {
	t.Parallel()
	s := seal.New(seal.NewKeyset())
	sealed := s.Seal([]byte("secret"), nil)
	for i := range sealed {
		if got, err := s.Open(sealed[:i], nil); err == nil {
			t.Errorf("cut to %d bytes it is %q", i, got)
		}
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if got, err := s.Open(changed, nil); err == nil {
			t.Errorf("with byte %d changed it is %q", i, got)
		}
	}
	if _, err := s.Open(append(sealed, 0), nil); !errors.Is(err, seal.ErrBroken) {
		t.Errorf("with a byte more: %v", err)
	}
}

func TestRotatedKeysetOpensOldValues(t *testing.T) {
	t.Parallel()
	k := seal.NewKeyset()
	rotated := k.Rotate()
	old, now := seal.New(k), seal.New(rotated)
	if got, err := now.Open(old.Seal([]byte("x"), nil), nil); err != nil || string(got) != "x" {
		t.Errorf("got %q, %v", got, err)
	}
	_, err := old.Open(now.Seal([]byte("x"), nil), nil)
	unknown, ok := errors.AsType[*seal.UnknownKeyError](err)
	if !ok || unknown.ID != rotated.IDs()[0] {
		t.Fatalf("got %v", err)
	}
	if want := "sealed with key " + unknown.ID + ", which is not in the keyset"; err.Error() != want {
		t.Errorf("got %s", err)
	}
}

func BenchmarkOpen(b *testing.B) {
	s := seal.New(seal.NewKeyset())
	ad := make([]byte, 16)
	sealed := s.Seal(make([]byte, 64), ad)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Open(sealed, ad); err != nil {
			b.Fatal(err)
		}
	}
}
