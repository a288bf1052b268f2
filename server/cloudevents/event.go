package cloudevents

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/wire"
)

// An event is one CloudEvent as hark knows it. The project is by id or slug,
// empty for the default one.
type event struct {
	hark.NewEvent
	project string
}

// issues collects all that is wrong with a request.
type issues []wire.Issue

func (is *issues) add(path, format string, args ...any) {
	*is = append(*is, wire.Issue{Path: path, Message: fmt.Sprintf(format, args...)})
}

// attributeOf is where a field of hark.NewEvent comes from.
func attributeOf(field string) string {
	switch field {
	case "sourceService":
		return "source"
	case "resourceType", "operationType":
		return "type"
	case "environment":
		return "harkenvironment"
	case "path":
		return "subject"
	case "payload":
		return "data"
	case "occurredAt":
		return "time"
	case "idempotencyKey":
		return "id"
	}
	return field
}

// attributes gives the attribute of a name, empty where there is none: an
// attribute of CloudEvents is never empty.
type attributes func(name string) string

// event reads what all content modes have in common; at is the path of the
// event in the request, such as "2.", and empty where it is alone.
func (is *issues) event(at string, get attributes) *event {
	e := &event{project: get("harkproject")}
	for _, name := range []string{"specversion", "id", "source", "type"} {
		if get(name) == "" {
			is.add(at+name, "the attribute %s is required", name)
		}
	}
	if v := get("specversion"); v != "" && v != "1.0" {
		is.add(at+"specversion", "hark takes CloudEvents 1.0")
	}
	if of := get("type"); of != "" {
		var ok bool
		if e.ResourceType, e.OperationType, ok = strings.Cut(of, ":"); !ok {
			is.add(at+"type", "a type is resourceType:operationType, such as secret:update")
		}
	}
	for _, name := range []string{"id", "source"} { // before they are hashed
		if err := hark.CheckText(name, get(name), maxAttribute); err != nil {
			is.add(at+name, "%s", wire.Classify(err).Message)
		}
	}
	source := get("source")
	if strings.Contains(source, " ") {
		is.add(at+"source", "a source is a URI reference, which has no spaces")
	}
	e.SourceService = source[strings.LastIndexByte(source, '/')+1:]
	if slug, service, ok := strings.Cut(strings.TrimPrefix(source, "/projects/"), "/"); ok && strings.HasPrefix(source, "/projects/") && service != "" {
		e.project = slug
	}
	if text := get("time"); text != "" {
		var err error
		if e.OccurredAt, err = hark.ParseTime(text); err != nil {
			is.add(at+"time", "a time is RFC 3339, such as 2026-01-02T03:04:05.678Z")
		}
	}
	e.Path, e.Environment = get("subject"), get("harkenvironment")
	e.IdempotencyKey = keyOf(source, get("id"))
	return e
}

// maxAttribute is how long an id or a source may be, in characters.
const maxAttribute = 4096

// keyOf is the idempotency key of a source and an id. A source has no space, so
// no two pairs share a key; what is too long for one is hashed.
func keyOf(source, id string) string {
	key := source + " " + id
	if utf8.RuneCountInString(key) <= hark.MaxName {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// checkContentType refuses data that says it is no JSON; empty says nothing.
func (is *issues) checkContentType(at, contentType string) {
	if contentType == "" {
		return
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || media != "application/json" && media != "text/json" && !strings.HasSuffix(media, "+json") {
		is.add(at+"datacontenttype", "the data must be JSON: application/json, or a type that ends in +json")
	}
}

// checkData refuses an event without data: there would be nothing to tell.
func (is *issues) checkData(at string, data []byte) hark.JSON {
	data = bytes.Trim(data, " \t\r\n")
	if len(data) == 0 {
		is.add(at+"data", "the data is required: any JSON value")
	}
	return data
}
