package pattern

import (
	"fmt"
	"strings"

	"github.com/hark-events/hark"
)

// An Event is a compiled event pattern. The zero Event matches every kind.
type Event struct {
	source, resource, operation string // empty: any
}

// CompileEvent compiles `secret:update`, `secret:*`, `*:update` or `*`, any of
// them with a source in front: `secret-manager/secret:update`. Its error is one sentence.
func CompileEvent(text string) (Event, error) {
	source, kind, found := strings.Cut(text, "/")
	if !found {
		source, kind = "*", text
	}
	resource, operation, found := strings.Cut(kind, ":")
	if !found {
		if operation = "*"; resource != "*" {
			return Event{}, fmt.Errorf("an event pattern is such as secret:update, secret:*, * or secret-manager/secret:update")
		}
	}
	var e Event
	for _, part := range []struct {
		text string
		to   *string
	}{{source, &e.source}, {resource, &e.resource}, {operation, &e.operation}} {
		if part.text == "*" {
			continue
		}
		if err := checkName(part.text); err != nil {
			return Event{}, err
		}
		*part.to = part.text
	}
	return e, nil
}

// checkName tells whether s can be a part of a definition's key.
func checkName(s string) error {
	if len(s) == 0 || len(s) > hark.MaxDefinitionKey {
		return fmt.Errorf("each part of an event pattern has 1 to %d characters, or is *", hark.MaxDefinitionKey)
	}
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return fmt.Errorf("each part of an event pattern is * or letters, digits, '-', '_' and '.'")
		}
	}
	return nil
}

// Match tells whether the pattern matches the kind.
func (e *Event) Match(k *hark.Kind) bool {
	return (e.resource == "" || e.resource == k.ResourceType) &&
		(e.operation == "" || e.operation == k.OperationType) &&
		(e.source == "" || e.source == k.SourceService)
}

// Overlaps tells whether some kind matches both patterns.
func (e Event) Overlaps(other Event) bool {
	either := func(a, b string) bool { return a == "" || b == "" || a == b }
	return either(e.source, other.source) && either(e.resource, other.resource) && either(e.operation, other.operation)
}

// Covers tells whether e matches all that other matches.
func (e Event) Covers(other Event) bool {
	all := func(a, b string) bool { return a == "" || a == b }
	return all(e.source, other.source) && all(e.resource, other.resource) && all(e.operation, other.operation)
}
