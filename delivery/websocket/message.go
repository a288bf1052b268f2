package websocket

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

const declaration = `<?xml version="1.0" encoding="UTF-8"?>`

// encode gives the text of a message, without its signature.
func encode(s *hark.Subscription, d *hark.Delivery) ([]byte, error) {
	switch s.PayloadType {
	case "", hark.PayloadJSON:
		return delivery.AppendJSON(nil, d), nil
	case hark.PayloadCloudEvents:
		return delivery.AppendCloudEvent(nil, d, s.ProjectSlug), nil
	case hark.PayloadXML:
		return delivery.AppendXML([]byte(declaration), d), nil
	}
	return nil, delivery.Permanent(errors.New("no WebSocket callback can have the payload type " + string(s.PayloadType)))
}

// sign puts into a message the time and its signature, as in Standard Webhooks
// with the delivery's id. They stand in front of what they cover, the message as
// encode gives it: as the first two members of a JSON object, by names that
// CloudEvents allows too, or as a processing instruction before the element.
func (dr *Driver) sign(s *hark.Subscription, d *hark.Delivery, message []byte) ([]byte, error) {
	now := time.Now().Unix()
	signature, err := dr.caller.Sign(s, d.ID.String(), now, message)
	if err != nil {
		return nil, err // tells what is wrong with the subscription, which may be mended
	}
	at, put := len("{"), `"webhooktimestamp":"`+strconv.FormatInt(now, 10)+`","webhooksignature":"`+signature+`",`
	if s.PayloadType == hark.PayloadXML {
		at, put = len(declaration), `<?webhook timestamp="`+strconv.FormatInt(now, 10)+`" signature="`+signature+`"?>`
	}
	return slices.Insert(message, at, []byte(put)...), nil
}
