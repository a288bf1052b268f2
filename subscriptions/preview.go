package subscriptions

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent/eventdefinition"
	"github.com/hark-events/hark/events"
	"github.com/hark-events/hark/store"
)

// A Preview is what a subscription would have done.
type Preview struct {
	Examined, Matched int
	Request           *PreviewRequest // of the newest match; nil when nothing matched
}

// A PreviewRequest is a callback as it would be made, credentials blanked.
type PreviewRequest struct {
	Method, URL string
	Headers     []*PreviewHeader
	Body        string
}

// A PreviewHeader is one header of a PreviewRequest.
type PreviewHeader struct{ Name, Value string }

// A requester shows the request that a driver would make. *webhook.Driver is one.
type requester interface {
	Request(s *hark.Subscription, d *hark.Delivery) (*http.Request, error)
}

// blanked stands where a secret would.
const blanked = "[redacted]"

// maxSample is how many events a preview may look at.
const maxSample = 1000

// Preview tells what a subscription would do with the last retained events. It
// stores nothing and calls nobody.
func (s *Service) Preview(ctx context.Context, in CreateEventSubscriptionInput, sample int) (*Preview, error) {
	project := store.DefaultProjectID()
	set(&project, in.ProjectID)
	if err := s.authority.Require(ctx, hark.ManageSubscriptions, project); err != nil {
		return nil, err
	}
	if sample < 1 || sample > maxSample {
		return nil, hark.BadInput("sample", "sample is between 1 and %d", maxSample)
	}
	if in.Auth.credentials() == nil {
		return nil, errAuth()
	}
	o := newOrder(in)
	o.ProjectID = project
	if err := s.check(o); err != nil {
		return nil, err
	}
	known, err := s.store.Ent().EventDefinition.Query().Where(eventdefinition.IDIn(o.definitions...), eventdefinition.DeletedAt(0)).Count(ctx)
	if err != nil {
		return nil, err
	}
	if known != len(o.definitions) {
		return nil, errDefinitions()
	}
	mayHave, err := s.subscribable(ctx, s.store.Ent().EventDefinition, o)
	if err != nil {
		return nil, err
	}
	mayRead, err := s.authority.Permitted(ctx, hark.ReadEvents, project)
	if err != nil {
		return nil, err
	}
	conditions, err := events.CompileConditions(o.Conditions)
	if err != nil {
		return nil, err
	}
	_, last, err := s.store.Bounds(ctx, project)
	if err != nil {
		return nil, err
	}
	p := &Preview{}
	var newest *hark.Event
	for at := max(0, last-int64(sample)); at < last; {
		list, err := s.store.Read(ctx, project, at, sample)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			break
		}
		for _, e := range list {
			at = e.Sequence
			p.Examined++
			if slices.Contains(o.definitions, e.DefinitionID) && mayHave(e) && mayRead(e) && events.Wants(conditions, e) {
				p.Matched++
				newest = e
			}
		}
	}
	if newest != nil {
		p.Request, err = s.previewRequest(ctx, o, newest)
	}
	return p, err
}

func (s *Service) previewRequest(ctx context.Context, o *order, e *hark.Event) (*PreviewRequest, error) {
	driver, err := s.drivers.For(o.CallbackProtocol)
	if err != nil {
		return nil, err
	}
	r, ok := driver.(requester)
	if !ok {
		return nil, nil // a protocol without requests
	}
	project, err := s.store.Ent().Project.Get(ctx, o.ProjectID)
	if err != nil {
		return nil, err
	}
	sub := &hark.Subscription{
		ID: o.ID, ProjectID: o.ProjectID, ProjectSlug: project.Slug, Endpoint: o.DeliveryEndpoint, Protocol: o.CallbackProtocol,
		PayloadType: o.PayloadType, Signature: o.Signature, SigningSecrets: []hark.Secret{"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
	}
	set(&sub.Method, o.RequestMethod)
	set(&sub.SOAPVersion, o.SoapVersion)
	sub.Credentials = hark.Credentials{ // what a body may repeat of them, blanked
		Type: o.credentials.Type, Username: o.credentials.Username, Password: blanked,
		ClientID: o.credentials.ClientID, ClientSecret: blanked, Token: blanked, HeaderName: o.credentials.HeaderName, Key: blanked,
	}
	req, err := r.Request(sub, &hark.Delivery{ID: hark.NewID(), SubscriptionID: o.ID, Event: e, Attempt: 1})
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	out := &PreviewRequest{Method: req.Method, URL: req.URL.String(), Body: string(body)}
	credential := "Authorization"
	if o.credentials.Type == hark.APIKey {
		credential = o.credentials.HeaderName
	}
	out.Headers = append(out.Headers, &PreviewHeader{Name: credential, Value: blanked})
	for name, values := range req.Header {
		value := strings.Join(values, ", ")
		if strings.EqualFold(name, "webhook-signature") {
			value = blanked
		}
		out.Headers = append(out.Headers, &PreviewHeader{Name: name, Value: value})
	}
	slices.SortFunc(out.Headers, func(a, b *PreviewHeader) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}
