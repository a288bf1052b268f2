package receiver

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	harkv1 "github.com/hark-events/hark/proto/hark/v1"
)

// ofJSON reads an envelope or a CloudEvent.
func ofJSON(body []byte) (message []byte, deliveryID string, err error) {
	var ids struct{ DeliveryID, HarkDelivery string }
	if err := json.Unmarshal(body, &ids); err != nil {
		return nil, "", errors.New("the body is neither an envelope nor a CloudEvent in JSON")
	}
	return body, ids.DeliveryID + ids.HarkDelivery, nil // it has one of them
}

// ofCloudEvent reads a CloudEvent in binary mode, and makes it a structured one.
func ofCloudEvent(header http.Header, body []byte) (message []byte, deliveryID string, err error) {
	if !json.Valid(body) {
		return nil, "", errors.New("the data of the CloudEvent is no JSON")
	}
	event := map[string]string{"datacontenttype": header.Get("Content-Type")}
	for name, values := range header {
		if attribute, ok := strings.CutPrefix(strings.ToLower(name), "ce-"); ok {
			value, err := url.PathUnescape(values[0])
			if err != nil {
				return nil, "", errors.New("the header " + name + " is not percent-encoded")
			}
			event[attribute] = value
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(event); err != nil {
		return nil, "", err
	}
	b.Truncate(b.Len() - len("}\n"))
	b.WriteString(`,"data":`)
	b.Write(body)
	b.WriteByte('}')
	return b.Bytes(), header.Get("ce-harkdelivery"), nil
}

// An event is the envelope, with its names in XML.
type event struct {
	ID            hark.ID   `xml:"id"`
	DeliveryID    hark.ID   `xml:"deliveryId"`
	Attempt       int       `xml:"attempt"`
	Test          bool      `xml:"test"`
	ProjectID     hark.ID   `xml:"projectId"`
	Sequence      int64     `xml:"sequence"`
	SourceService string    `xml:"sourceService"`
	ResourceType  string    `xml:"resourceType"`
	OperationType string    `xml:"operationType"`
	Environment   string    `xml:"environment"`
	Path          string    `xml:"path"`
	Actor         string    `xml:"actor"`
	OccurredAt    hark.Time `xml:"occurredAt"`
	PublishedAt   hark.Time `xml:"publishedAt"`
	Payload       string    `xml:"payload"`
}

// ofXML reads an envelope as XML.
func ofXML(body []byte) (message []byte, deliveryID string, err error) {
	var e struct {
		XMLName xml.Name `xml:"urn:hark:v1 event"`
		event
	}
	if err := xml.Unmarshal(body, &e); err != nil {
		return nil, "", errors.New("the body is no event in the namespace " + delivery.XMLNamespace)
	}
	return e.message()
}

// message gives the envelope as JSON.
func (e *event) message() ([]byte, string, error) {
	if !json.Valid([]byte(e.Payload)) {
		return nil, "", errors.New("the payload is no JSON")
	}
	return delivery.AppendJSON(nil, &hark.Delivery{
		ID: e.DeliveryID, Attempt: e.Attempt, Test: e.Test,
		Event: &hark.Event{
			ID: e.ID, ProjectID: e.ProjectID, Sequence: e.Sequence,
			Kind:        hark.Kind{SourceService: e.SourceService, ResourceType: e.ResourceType, OperationType: e.OperationType},
			Environment: e.Environment, Path: e.Path, Actor: e.Actor, Payload: hark.JSON(e.Payload),
			OccurredAt: e.OccurredAt, PublishedAt: e.PublishedAt,
		},
	}), e.DeliveryID.String(), nil
}

// ofProto reads an envelope of gRPC.
func ofProto(m *harkv1.Event) (message []byte, deliveryID string, err error) {
	e := event{
		Attempt: int(m.GetAttempt()), Test: m.GetTest(), Sequence: m.GetSequence(),
		SourceService: m.GetSourceService(), ResourceType: m.GetResourceType(), OperationType: m.GetOperationType(),
		Environment: m.GetEnvironment(), Path: m.GetPath(), Actor: m.GetActor(), Payload: string(m.GetPayload()),
		OccurredAt: hark.TimeOf(m.GetOccurredAt().AsTime()), PublishedAt: hark.TimeOf(m.GetPublishedAt().AsTime()),
	}
	for _, id := range []struct {
		to   *hark.ID
		text string
	}{{&e.ID, m.GetId()}, {&e.DeliveryID, m.GetDeliveryId()}, {&e.ProjectID, m.GetProjectId()}} {
		if err := id.to.UnmarshalText([]byte(id.text)); err != nil {
			return nil, "", errors.New("an id of the event is no UUID")
		}
	}
	return e.message()
}
