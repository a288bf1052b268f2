package delivery

import (
	"strconv"

	"github.com/hark-events/hark"
)

// A CloudEventAttribute is one context attribute of a CloudEvent, such as
// {"subject", "/app/db"}.
type CloudEventAttribute struct{ Name, Value string }

// CloudEventAttributes returns the context attributes of d as a CloudEvent 1.0,
// without datacontenttype, which is application/json. The extension
// harksequence is text: CloudEvents integers end at 2³¹.
func CloudEventAttributes(d *hark.Delivery, projectSlug string) []CloudEventAttribute {
	e := d.Event
	attributes := append(make([]CloudEventAttribute, 0, 10),
		CloudEventAttribute{"specversion", "1.0"},
		CloudEventAttribute{"id", e.ID.String()},
		CloudEventAttribute{"source", "/projects/" + projectSlug + "/" + e.SourceService},
		CloudEventAttribute{"type", e.EventType()},
		CloudEventAttribute{"time", e.OccurredAt.String()},
		CloudEventAttribute{"harkproject", projectSlug},
		CloudEventAttribute{"harksequence", strconv.FormatInt(e.Sequence, 10)},
		CloudEventAttribute{"harkdelivery", d.ID.String()},
	)
	if e.Path != "" {
		attributes = append(attributes, CloudEventAttribute{"subject", e.Path})
	}
	if e.Environment != "" {
		attributes = append(attributes, CloudEventAttribute{"harkenvironment", e.Environment})
	}
	return attributes
}

// AppendCloudEvent appends d as a CloudEvent in structured mode
// (application/cloudevents+json).
func AppendCloudEvent(b []byte, d *hark.Delivery, projectSlug string) []byte {
	b = grow(b, len(d.Event.Payload)+len(d.Event.Path)+envelopeSize)
	b = append(b, '{')
	for _, a := range CloudEventAttributes(d, projectSlug) {
		b = append(appendString(b, a.Name), ':')
		b = append(appendString(b, a.Value), ',')
	}
	b = appendPayload(append(b, `"datacontenttype":"application/json","data":`...), d.Event.Payload)
	return append(b, '}')
}

// CloudEventHeader encodes an attribute's value for a header of the HTTP
// binding 1.0.2 (section 3.1.3.2): space, double quote, percent and everything
// outside of printable ASCII becomes %XX, byte by byte of its UTF-8.
func CloudEventHeader(value string) string {
	const hex = "0123456789ABCDEF"
	var b []byte
	for i := range len(value) {
		c := value[i]
		if c > ' ' && c < 0x7f && c != '"' && c != '%' {
			if b != nil {
				b = append(b, c)
			}
			continue
		}
		if b == nil {
			b = append(make([]byte, 0, len(value)+16), value[:i]...)
		}
		b = append(b, '%', hex[c>>4], hex[c&0xf])
	}
	if b == nil {
		return value
	}
	return string(b)
}
