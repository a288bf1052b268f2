package webhook

import (
	"fmt"
	"net/http"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

// encode returns the body and sets the headers that belong to it.
func encode(h http.Header, s *hark.Subscription, d *hark.Delivery) ([]byte, error) {
	switch s.PayloadType {
	case "", hark.PayloadJSON:
		h["Content-Type"] = []string{"application/json"}
		return delivery.AppendJSON(nil, d), nil
	case hark.PayloadXML:
		h["Content-Type"] = []string{"application/xml; charset=utf-8"}
		return delivery.AppendXML([]byte(`<?xml version="1.0" encoding="UTF-8"?>`), d), nil
	case hark.PayloadCloudEvents: // in binary mode: the payload alone is the body
		h["Content-Type"] = []string{"application/json"}
		for _, a := range delivery.CloudEventAttributes(d, s.ProjectSlug) {
			h["ce-"+a.Name] = []string{delivery.CloudEventHeader(a.Value)}
		}
		if len(d.Event.Payload) == 0 {
			return []byte("null"), nil
		}
		return d.Event.Payload, nil
	}
	return nil, delivery.Permanent(fmt.Errorf("no HTTP callback can have the payload type %s", s.PayloadType))
}
