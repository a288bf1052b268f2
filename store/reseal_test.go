package store_test

import (
	"strings"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/seal"
)

func TestEverythingIsSealedAnew(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, db database) {
		old, lost := seal.NewKeyset(), seal.NewKeyset()
		rotated := old.Rotate()
		a, b, c := db.node(t, old), db.node(t, rotated), db.node(t, lost)
		if err := a.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := a.SigningKey(t.Context()); err != nil {
			t.Fatal(err)
		}
		ids := make([]hark.ID, 0, 250)
		for range cap(ids) {
			ids = append(ids, subscribe(t, a))
		}
		theirs := subscribe(t, c)
		var told []string
		reseal := func(want int) {
			t.Helper()
			told = nil
			n, err := b.Reseal(t.Context(), func(_ string, id hark.ID, err error) { told = append(told, id.String()+" "+err.Error()) })
			if err != nil || n != want {
				t.Errorf("sealed %d anew, %v; want %d", n, err, want)
			}
			if len(told) != 1 || !strings.HasPrefix(told[0], theirs.String()) || !strings.Contains(told[0], lost.IDs()[0]) {
				t.Errorf("told of %v", told)
			}
		}
		reseal(2*len(ids) + 1)
		for _, id := range []hark.ID{ids[0], ids[249]} {
			if s, err := b.Subscription(t.Context(), id); err != nil || s.Credentials.Password.Reveal() != "secret-password" {
				t.Error(err)
			}
			unopened(t, a, id)
		}
		if _, err := c.Subscription(t.Context(), theirs); err != nil {
			t.Error(err)
		}
		reseal(0)
		keys, err := b.SealedWith(t.Context())
		if err != nil || len(keys) != 2 || keys[rotated.IDs()[0]] != 2*len(ids)+1 || keys[lost.IDs()[0]] != 2 {
			t.Errorf("sealed with %v, %v", keys, err)
		}
	})
}
