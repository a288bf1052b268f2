package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/config"
)

type publishCmd struct {
	config.Client
	File string `arg:"" optional:"" help:"JSON file; - or nothing is stdin." placeholder:"FILE"`
}

// Help shows an example.
func (publishCmd) Help() string {
	return `The input is one JSON object, a JSON array of them, or one on each line; at most 1,000 events in 1 MiB. All are stored, or none. Each object has the fields of PublishEventInput: sourceService, resourceType, operationType and payload, and if you like environment, path, actor, occurredAt, idempotencyKey, projectId.

Example:
  echo '{"sourceService":"secret-manager","resourceType":"secret","operationType":"update","environment":"staging","path":"/","payload":[{"secretKey":"SECRET_KEY1"}]}' | hark publish`
}

const publishMutation = `mutation Publish($input: [PublishEventInput!]!) { publishEvents(input: $input) { duplicates events { id sequence } } }`

// inputEvent is one event of the input, byte for byte, and where it stands.
type inputEvent struct {
	line int
	text json.RawMessage
}

// Run publishes the input.
func (c *publishCmd) Run(ctx context.Context, std stdio) error {
	if err := c.Client.Validate(); err != nil {
		return usageError{err}
	}
	text, err := c.read(std.in)
	if err != nil {
		return err
	}
	events, err := parseEvents(text)
	if err != nil {
		return err
	}
	var variables bytes.Buffer
	variables.WriteString(`{"input":[`)
	for i, e := range events {
		if i > 0 {
			variables.WriteByte(',')
		}
		variables.Write(e.text)
	}
	variables.WriteString(`]}`)
	var data struct {
		PublishEvents struct {
			Duplicates int
			Events     []json.RawMessage
		}
	}
	err = client{c.Client}.do(ctx, request{Query: publishMutation, Variables: variables.Bytes()}, &data)
	if e, ok := errors.AsType[*graphqlError](err); ok {
		return fmt.Errorf("nothing was published: %s%s", lineOf(e.Extensions.Field, events), e.Message)
	}
	if err != nil {
		return err
	}
	for _, e := range data.PublishEvents.Events {
		if _, err := fmt.Fprintf(std.out, "%s\n", e); err != nil {
			return err
		}
	}
	fmt.Fprintf(std.err, "Published %d events, %d of them known already.\n", len(events), data.PublishEvents.Duplicates)
	return nil
}

func (c *publishCmd) read(in io.Reader) ([]byte, error) {
	if c.File == "" || c.File == "-" {
		return io.ReadAll(in)
	}
	return os.ReadFile(c.File)
}

// parseEvents splits the input into events.
func parseEvents(text []byte) ([]inputEvent, error) {
	var events []inputEvent
	d := json.NewDecoder(bytes.NewReader(text))
	line := func() int { // of the next value
		rest := text[d.InputOffset():]
		at := int(d.InputOffset()) + len(rest) - len(bytes.TrimLeft(rest, " \t\r\n,"))
		return 1 + bytes.Count(text[:at], []byte("\n"))
	}
	decode := func() error {
		n := line()
		var raw json.RawMessage
		err := d.Decode(&raw)
		if err == nil && raw[0] != '{' {
			err = errors.New("an event is a JSON object")
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("nothing was published: line %d: %w", n, err)
		}
		if err == nil {
			events = append(events, inputEvent{n, raw})
		}
		return err
	}
	array := bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("["))
	if array {
		if _, err := d.Token(); err != nil {
			return nil, err
		}
	}
	for !array || d.More() {
		if err := decode(); errors.Is(err, io.EOF) && !array {
			break
		} else if err != nil {
			return nil, err
		}
	}
	if array {
		if _, err := d.Token(); err != nil {
			return nil, fmt.Errorf("nothing was published: line %d: the array does not end", line())
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("nothing was published: line %d: something follows the array", line())
		}
	}
	switch n := len(events); {
	case n == 0:
		return nil, errors.New("the input has no event")
	case n > hark.MaxPublish:
		return nil, fmt.Errorf("the input has %d events; at most %d are stored at once: split it", n, hark.MaxPublish)
	}
	return events, nil
}

// lineOf names the line of the input that a field such as "input.2.path" is about.
func lineOf(field string, events []inputEvent) string {
	parts := strings.SplitN(field, ".", 3)
	if len(parts) < 2 {
		return ""
	}
	i, err := strconv.Atoi(parts[1])
	if err != nil || i < 0 || i >= len(events) {
		return ""
	}
	where := fmt.Sprintf("line %d: ", events[i].line)
	if len(parts) == 3 {
		where += parts[2] + ": "
	}
	return where
}
