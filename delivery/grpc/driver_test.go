package grpc

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/deliverytest"
	harkv1 "github.com/hark-events/hark/proto/hark/v1"
)

func TestMessageAndMetadata(t *testing.T) {
	t.Parallel()
	type call struct {
		event *harkv1.Event
		md    func(string) string
	}
	calls := make(chan call, 1)
	ln := listen(t)
	serve(t, ln, func(ctx context.Context, e *harkv1.Event) (*harkv1.Ack, error) {
		calls <- call{e, header(ctx)}
		return &harkv1.Ack{}, nil
	})
	s := deliverytest.Subscription(hark.GRPC, "grpc://"+ln.Addr().String())
	e := deliverytest.Event()
	e.Actor = "ä"
	d := deliverytest.Delivery(s, e)
	d.Attempt, d.Test = 3, true
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	ctx = delivery.WithTraceparent(ctx, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	r, err := newDriver(t, nil).Deliver(ctx, s, d)
	if err != nil || r.StatusCode != int(codes.OK) {
		t.Fatal(r, err)
	}
	c := <-calls
	got := c.event
	if got.GetId() != e.ID.String() || got.GetDeliveryId() != d.ID.String() || got.GetAttempt() != 3 || !got.GetTest() ||
		got.GetProjectId() != e.ProjectID.String() || got.GetSequence() != 42 || got.GetSourceService() != "secret-manager" ||
		got.GetResourceType() != "secret" || got.GetOperationType() != "update" || got.GetEventType() != "secret:update" ||
		got.GetEnvironment() != "staging" || got.GetPath() != "/" || got.GetActor() != "ä" ||
		string(got.GetPayload()) != `[{"secretKey":"A<b>"}]` || got.GetOccurredAt().AsTime().UnixNano() != int64(e.OccurredAt) ||
		got.GetPublishedAt().AsTime().UnixNano() != int64(e.PublishedAt) {
		t.Errorf("the subscriber got %v", got)
	}
	for name, want := range map[string]string{
		"authorization": "Bearer token-of-the-test", "webhook-id": d.ID.String(),
		"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	} {
		if value := c.md(name); value != want {
			t.Errorf("%s: %q; want %q", name, value, want)
		}
	}
	if agent := c.md("user-agent"); !strings.HasPrefix(agent, "hark/test ") {
		t.Errorf("user agent %q", agent)
	}
	verifier, err := standardwebhooks.NewWebhook("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if err != nil {
		t.Fatal(err)
	}
	signed := http.Header{}
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		signed.Set(name, c.md(name))
	}
	if err := verifier.Verify(got.GetPayload(), signed); err != nil {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	dr := newDriver(t, nil)
	apiKey := func(name, key string) hark.Credentials {
		return hark.Credentials{Type: hark.APIKey, HeaderName: name, Key: hark.Secret(key)}
	}
	jwt := hark.Credentials{Type: hark.JWT, Token: "token"}
	for name, tt := range map[string]struct {
		endpoint    string
		payload     hark.PayloadType
		credentials hark.Credentials
		field       string
	}{
		"plain":                 {"grpc://events.test:50051", "", jwt, ""},
		"TLS":                   {"grpcs://events.test:443/", hark.PayloadProtobuf, jwt, ""},
		"IPv6":                  {"grpc://[2606:4700::1111]:50051", "", jwt, ""},
		"API key":               {"grpc://events.test:50051", "", apiKey("X-API-KEY", "key"), ""},
		"no port":               {"grpc://events.test", "", jwt, "deliveryEndpoint"},
		"another scheme":        {"http://events.test:80", "", jwt, "deliveryEndpoint"},
		"a path":                {"grpc://events.test:50051/hook", "", jwt, "deliveryEndpoint"},
		"a query":               {"grpc://events.test:50051?a=b", "", jwt, "deliveryEndpoint"},
		"a user":                {"grpc://a:b@events.test:50051", "", jwt, "deliveryEndpoint"},
		"no host":               {"grpc://:50051", "", jwt, "deliveryEndpoint"},
		"too long":              {"grpc://" + strings.Repeat("x", 2048) + ":1", "", jwt, "deliveryEndpoint"},
		"JSON":                  {"grpc://events.test:50051", hark.PayloadJSON, jwt, "payloadType"},
		"name not for metadata": {"grpc://events.test:50051", "", apiKey("X-API!KEY", "key"), "auth.apiKey.headerName"},
		"binary metadata":       {"grpc://events.test:50051", "", apiKey("X-Key-Bin", "key"), "auth.apiKey.headerName"},
		"reserved metadata":     {"grpc://events.test:50051", "", apiKey("grpc-timeout", "key"), "auth.apiKey.headerName"},
		"key not for metadata":  {"grpc://events.test:50051", "", apiKey("X-API-KEY", "kéy"), "auth.apiKey.key"},
	} {
		s := deliverytest.Subscription(hark.GRPC, tt.endpoint)
		s.PayloadType, s.Credentials = tt.payload, tt.credentials
		err := dr.Check(s)
		e, _ := errors.AsType[*hark.Error](err)
		if tt.field == "" && err != nil || tt.field != "" && (e == nil || e.Code != hark.BadUserInput || e.Field != tt.field) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRequest shows what a preview has to show.
func TestRequest(t *testing.T) {
	t.Parallel()
	s := deliverytest.Subscription(hark.GRPC, "grpcs://events.test:443")
	d := deliverytest.Delivery(s, deliverytest.Event())
	req, err := newDriver(t, nil).Request(s, d)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(req.Body)
	var shown harkv1.Event
	if err != nil || protojson.Unmarshal(text, &shown) != nil || !proto.Equal(&shown, message(d)) {
		t.Errorf("%s, %v", text, err)
	}
	if req.Method != http.MethodPost || req.URL.String() != "grpcs://events.test:443/hark.v1.EventReceiver/Deliver" || !slices.Equal(map[string][]string(req.Header)["webhook-id"], []string{d.ID.String()}) {
		t.Errorf("%s %s %v", req.Method, req.URL, req.Header)
	}
}
