package promises

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// An event is one of the log.
type event struct {
	ID       string
	Sequence int64
	Cursor   string
	Payload  json.RawMessage
}

// update is a PublishEventInput of secret:update.
func update(payload any) testkit.Vars {
	return testkit.Vars{
		"sourceService": "secret-manager", "resourceType": "secret", "operationType": "update",
		"environment": "staging", "path": "/", "payload": payload,
	}
}

// publish publishes inputs.
func publish(ctx context.Context, c testkit.Client, inputs ...testkit.Vars) ([]event, error) {
	var data struct{ PublishEvents struct{ Events []event } }
	err := c.Call(ctx, `mutation($input: [PublishEventInput!]!) { publishEvents(input: $input) { events { id sequence cursor payload } } }`,
		testkit.Vars{"input": inputs}, &data)
	return data.PublishEvents.Events, err
}

// mustPublish publishes n events.
func mustPublish(t *testing.T, c testkit.Client, n int) []event {
	t.Helper()
	inputs := make([]testkit.Vars, n)
	for i := range inputs {
		inputs[i] = update(i)
	}
	events, err := publish(t.Context(), c, inputs...)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// readLog reads all events of the default project, and fails when there is a gap.
func readLog(t *testing.T, c testkit.Client) (log []event) {
	t.Helper()
	var after *string
	for {
		type data struct {
			Events struct {
				Nodes    []event
				PageInfo struct {
					HasNextPage bool
					EndCursor   *string
				}
			}
		}
		page := testkit.MustCall[data](t, c, `query($after: String) { events(filter: {}, first: 500, after: $after) { nodes { id sequence cursor payload } pageInfo { hasNextPage endCursor } } }`,
			testkit.Vars{"after": after}).Events
		log = append(log, page.Nodes...)
		if !page.PageInfo.HasNextPage {
			break
		}
		after = page.PageInfo.EndCursor
	}
	for i, e := range log {
		if e.Sequence != int64(i+1) {
			t.Fatalf("the log has %d at place %d", e.Sequence, i+1)
		}
	}
	return log
}
