package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/store"
)

// checkNew tells a person what is wrong with an event, apart from its
// definition.
func checkNew(e *hark.NewEvent) error {
	for _, part := range []struct{ name, value string }{
		{"sourceService", e.SourceService}, {"resourceType", e.ResourceType}, {"operationType", e.OperationType},
	} {
		if !isKeyPart(part.value) {
			return hark.BadInput(part.name, wrongPart, hark.MaxDefinitionKey)
		}
	}
	if e.SourceService == store.Hark { // or nobody could trust an alarm
		return hark.BadInput("sourceService", "events of the source service %s are published by hark alone: choose another", store.Hark)
	}
	for _, text := range []struct{ name, value string }{
		{"environment", e.Environment}, {"actor", e.Actor}, {"idempotencyKey", e.IdempotencyKey},
	} {
		if err := hark.CheckText(text.name, text.value, hark.MaxName); err != nil {
			return err
		}
	}
	if e.Path != "" {
		if !strings.HasPrefix(e.Path, "/") {
			return hark.BadInput("path", "a path starts with /")
		}
		if err := hark.CheckText("path", e.Path, hark.MaxPath); err != nil {
			return err
		}
	}
	return checkPayload("payload", e.Payload)
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

// inInput tells where in the input of a publish the i-th event is wrong.
func inInput(i int, err error) error {
	e, ok := errors.AsType[*hark.Error](err)
	if !ok {
		return err
	}
	wrong := *e
	wrong.Field = strings.TrimSuffix(fmt.Sprintf("input.%d.%s", i, e.Field), ".")
	return &wrong
}
