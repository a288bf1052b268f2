package delivery

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/hark-events/hark"
)

// XMLNamespace is the namespace of the envelope as XML.
const XMLNamespace = "urn:hark:v1"

// AppendXML appends the envelope of d as the element event, without an XML
// declaration, so that it fits into a SOAP body. What the event does not have
// has no element. The payload is its JSON text.
func AppendXML(b []byte, d *hark.Delivery) []byte {
	e := d.Event
	b = grow(b, len(e.Payload)+len(e.Payload)/4+len(e.Path)+envelopeSize)
	b = append(b, `<event xmlns="`+XMLNamespace+`">`...)
	b = appendElement(b, "id", e.ID.String())
	b = appendElement(b, "deliveryId", d.ID.String())
	b = appendElement(b, "attempt", strconv.Itoa(d.Attempt))
	b = appendElement(b, "test", strconv.FormatBool(d.Test))
	b = appendElement(b, "projectId", e.ProjectID.String())
	b = appendElement(b, "sequence", strconv.FormatInt(e.Sequence, 10))
	b = appendElement(b, "sourceService", e.SourceService)
	b = appendElement(b, "resourceType", e.ResourceType)
	b = appendElement(b, "operationType", e.OperationType)
	b = appendElement(b, "eventType", e.EventType())
	for _, optional := range [...]struct{ name, value string }{
		{"environment", e.Environment}, {"path", e.Path}, {"actor", e.Actor},
	} {
		if optional.value != "" {
			b = appendElement(b, optional.name, optional.value)
		}
	}
	b = appendElement(b, "occurredAt", e.OccurredAt.String())
	b = appendElement(b, "publishedAt", e.PublishedAt.String())
	b = append(b, `<payload>`...)
	b = appendXMLText(b, appendPayload(nil, e.Payload), true)
	return append(b, `</payload></event>`...)
}

func appendElement(b []byte, name, value string) []byte {
	b = append(append(append(b, '<'), name...), '>')
	b = appendXMLText(b, []byte(value), false)
	return append(append(append(b, "</"...), name...), '>')
}

// appendXMLText appends s as character data. White space that a parser would
// change is a character reference. What XML 1.0 cannot hold at all becomes
// U+FFFD, but in JSON text, where it can stand in a string only, its escape.
func appendXMLText(b, s []byte, json bool) []byte {
	start := 0
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(s[i:])
		}
		var with string
		switch {
		case r == '&':
			with = "&amp;"
		case r == '<':
			with = "&lt;"
		case r == '>':
			with = "&gt;" // for the sake of ]]>
		case r == '\r':
			with = "&#xD;"
		case r == utf8.RuneError && size == 1, (r < ' ' && r != '\t' && r != '\n' || r == 0xFFFE || r == 0xFFFF) && !json:
			with = "\uFFFD"
		case r == 0xFFFE || r == 0xFFFF:
			with = fmt.Sprintf(`\u%04x`, r)
		}
		if with != "" {
			b = append(append(b, s[start:i]...), with...)
			start = i + size
		}
		i += size
	}
	return append(b, s[start:]...)
}
