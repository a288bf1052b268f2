package pubsub_test

import (
	"testing"
	"time"

	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/pubsub"
)

func TestNotes(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	a, b := dial(t, server.URL(), pubsub.Config{}), dial(t, server.URL(), pubsub.Config{})
	if err := a.PutNote(t.Context(), "x", []byte("1"), time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1", ""} {
		if note, err := b.Note(t.Context(), "x"); err != nil || string(note) != want {
			t.Errorf("%q %v, want %q", note, err, want)
		}
		if err := b.DropNote(t.Context(), "x"); err != nil {
			t.Error(err)
		}
	}
	server.Pause()
	defer server.Resume()
	begin := time.Now()
	if _, err := b.Note(t.Context(), "x"); err == nil || time.Since(begin) > 15*time.Second {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
}
