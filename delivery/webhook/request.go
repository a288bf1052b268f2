package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

// Request builds the request that brings d to s, signed now but without
// credentials and context: Deliver adds those, a preview shows it as it is.
func (dr *Driver) Request(s *hark.Subscription, d *hark.Delivery) (*http.Request, error) {
	header := make(http.Header, 16) // keys in the case in which they go out
	body, err := encode(header, s, d)
	if err != nil {
		return nil, err
	}

	id, now := d.ID.String(), time.Now().Unix()
	signature, err := dr.signer.Sign(s, id, now, body)
	if err != nil {
		return nil, err // tells what is wrong with the subscription, which may be mended
	}
	method := string(s.Method)
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequest(method, s.Endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, delivery.Permanent(errors.New("the endpoint is no URL")) // without err, which quotes it
	}
	req.Header = header
	header["User-Agent"] = []string{dr.userAgent}
	header["webhook-id"] = []string{id}
	header["webhook-timestamp"] = []string{strconv.FormatInt(now, 10)}
	header["webhook-signature"] = []string{signature}
	// Never sent, but tells net/http that it may send again what met a kept
	// connection that the subscriber was closing: webhook-id makes that safe.
	header["Idempotency-Key"] = []string{}
	return req, nil
}

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
