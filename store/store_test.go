package store_test

import (
	"context"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// everyone sends each event to the subscriptions it lists.
type everyone []store.Match

func (everyone) Refresh(context.Context, hark.ID, int64, int64) error { return nil }
func (everyone) Check(*store.Append) error                            { return nil }
func (m everyone) Match(*hark.Event) []store.Match                    { return m }

func newEvent(payload string) *hark.Event {
	return &hark.Event{
		ProjectID: store.DefaultProjectID(), DefinitionID: hark.NewID(),
		Kind:    hark.Kind{SourceService: "secret-manager", ResourceType: "secret", OperationType: "update"},
		Payload: hark.JSON(payload),
	}
}

func TestAppendIsReadBack(t *testing.T) {
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		r := &store.Append{}
		for range 123 {
			r.Events = append(r.Events, newEvent(`{"b":1, "a":<2>}`))
		}
		if err := st.Append(t.Context(), []*store.Append{r}, everyone{}, 0); err != nil || r.Err != nil {
			t.Fatal(err, r.Err)
		}
		got, err := st.Read(t.Context(), store.DefaultProjectID(), 100, 1000)
		if err != nil || len(got) != 23 || got[0].Sequence != 101 || got[22].ID != r.Events[122].ID {
			t.Fatalf("%d events, %v", len(got), err)
		}
	})
}
