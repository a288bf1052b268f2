package seal_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/seal"
)

// fixed is a keyset of two keys: bytes 0 to 31, and 32 times 0xff.
const fixed = "hark1:630dcd29:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8,af961376:__________________________________________8"

func parse(t testing.TB, text string) seal.Keyset {
	t.Helper()
	k, err := seal.ParseKeyset(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeysetText(t *testing.T) {
	t.Parallel()
	k := parse(t, " "+fixed+"\n")
	if got := k.Reveal(); got != fixed {
		t.Errorf("got %s", got)
	}
	if got := k.IDs(); !slices.Equal(got, []string{"630dcd29", "af961376"}) {
		t.Errorf("ids %v", got)
	}
}

func TestRotatePutsANewKeyFirst(t *testing.T) {
	t.Parallel()
	old := parse(t, fixed)
	rotated := parse(t, old.Rotate().Reveal())
	if ids := rotated.IDs(); len(ids) != 3 || !slices.Equal(ids[1:], old.IDs()) || slices.Contains(old.IDs(), ids[0]) {
		t.Errorf("ids %v", ids)
	}
	if old.Reveal() != fixed {
		t.Error("the old keyset changed")
	}
}

func TestBadKeyset(t *testing.T) {
	t.Parallel()
	const id, secret = "630dcd29", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	for text, want := range map[string]string{
		"":                                      "the keyset is empty: make one with hark keys new",
		" \n":                                   "is empty",
		id + ":" + secret:                       "does not begin with hark1:",
		"hark2:" + id + ":" + secret:            "does not begin with hark1:",
		"hark1:":                                "key 1 of the keyset has no id",
		"hark1:" + secret:                       "key 1 of the keyset has no id",
		fixed + ",":                             "key 3 of the keyset has no id",
		"hark1:" + id + ":" + secret[1:]:        "key 1 of the keyset is not 32 bytes",
		"hark1:" + id + ":" + secret + "=":      "key 1 of the keyset is not 32 bytes",
		"hark1:" + id + ":" + secret + "\n,":    "key 1 of the keyset is not 32 bytes",
		"hark1:" + id + ":" + secret[:42] + "9": "key 1 of the keyset is not 32 bytes", // bits that say nothing
		"hark1:" + id + ":B" + secret[1:]:       "key 1 of the keyset does not fit its id",
		"hark1:630DCD29:" + secret:              "key 1 of the keyset does not fit its id",
		fixed + "," + id + ":" + secret:         "key 3 of the keyset is there twice",
	} {
		_, err := seal.ParseKeyset(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
			continue
		}
		if strings.Contains(err.Error(), secret[1:40]) {
			t.Errorf("%q: the error shows a key: %v", text, err)
		}
	}
}

func TestKeysetDoesNotShow(t *testing.T) {
	t.Parallel()
	k := parse(t, fixed)
	hidden := struct { // fmt calls no methods there
		keys   seal.Keyset
		sealer *seal.Sealer
	}{k, seal.New(k)}
	var shown []string
	for _, v := range []any{k, &k, hidden, &hidden, []seal.Keyset{k}, seal.New(k), *seal.New(k)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			shown = append(shown, fmt.Sprintf(verb, v))
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "keys", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "keys", v)
		shown = append(shown, string(b), log.String())
	}
	for _, s := range shown {
		for _, key := range []string{"AAECAwQF", "0 1 2 3 4", "00010203", "0x1, 0x2, 0x3", "____", "ffffffff", "255 255 255", "0xff, 0xff", "66051", "4294967295"} {
			if strings.Contains(s, key) {
				t.Errorf("shows a key: %s", s)
			}
		}
	}
	if got := fmt.Sprint(k); got != "[redacted]" {
		t.Errorf("got %s", got)
	}
}

func FuzzParseKeyset(f *testing.F) {
	for _, seed := range []string{fixed, fixed + "\n", "hark1:", "hark1::", strings.ToUpper(fixed), fixed[:70]} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, err := seal.ParseKeyset(text)
		if err != nil {
			return
		}
		if got := k.Reveal(); got != strings.TrimSpace(text) {
			t.Errorf("%q became %q", text, got)
		}
		s := seal.New(k)
		if plain, err := s.Open(s.Seal([]byte("x"), nil), nil); err != nil || string(plain) != "x" {
			t.Errorf("%q, %v", plain, err)
		}
	})
}
