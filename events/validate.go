package events

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hark-events/hark"
)

// checkNew tells a person what is wrong with an event, apart from its
// definition. field is the path of the event in the input.
func checkNew(field string, e *hark.NewEvent) error {
	for _, part := range []struct{ name, value string }{
		{"sourceService", e.SourceService}, {"resourceType", e.ResourceType}, {"operationType", e.OperationType},
	} {
		if !keyPart.MatchString(part.value) {
			return hark.BadInput(field+"."+part.name, wrongPart, hark.MaxDefinitionKey)
		}
	}
	for _, text := range []struct{ name, value string }{
		{"environment", e.Environment}, {"actor", e.Actor}, {"idempotencyKey", e.IdempotencyKey},
	} {
		if err := hark.CheckText(field+"."+text.name, text.value, hark.MaxName); err != nil {
			return err
		}
	}
	if e.Path != "" {
		if !strings.HasPrefix(e.Path, "/") {
			return hark.BadInput(field+".path", "a path starts with /")
		}
		if err := hark.CheckText(field+".path", e.Path, hark.MaxPath); err != nil {
			return err
		}
	}
	return checkPayload(field+".payload", e.Payload)
}

func checkPayload(field string, p hark.JSON) error {
	switch {
	case len(p) > hark.MaxPayload:
		return hark.BadInput(field, "the payload has %d bytes; at most %d are allowed", len(p), hark.MaxPayload)
	case !utf8.Valid(p):
		return hark.BadInput(field, "the payload is not UTF-8")
	case !json.Valid(p): // also what is nested more than 10,000 deep
		return hark.BadInput(field, "the payload is no JSON, or nested deeper than 10,000")
	}
	return nil
}

// fieldOf is the path of the i-th event of a publish.
func fieldOf(i int) string { return fmt.Sprintf("input.%d", i) }
