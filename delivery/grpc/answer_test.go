package grpc

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/hark-events/hark/delivery"
	harkv1 "github.com/hark-events/hark/proto/hark/v1"
)

func TestCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[codes.Code]struct {
		permanent bool
		words     string
	}{
		codes.FailedPrecondition: {true, "answered FAILED_PRECONDITION"},
		codes.Unimplemented:      {true, "answered UNIMPLEMENTED"},
		codes.Canceled:           {false, "answered CANCELLED"},
		codes.InvalidArgument:    {false, "answered INVALID_ARGUMENT"},
		codes.NotFound:           {false, "answered NOT_FOUND"},
		codes.DeadlineExceeded:   {false, "answered DEADLINE_EXCEEDED"},
		codes.Unauthenticated:    {false, "answered UNAUTHENTICATED"},
		codes.Unavailable:        {false, "answered UNAVAILABLE"},
		codes.Code(99):           {false, "answered the unknown code 99"},
	} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			ln := listen(t)
			serve(t, ln, func(context.Context, *harkv1.Event) (*harkv1.Ack, error) { return nil, status.Error(code, "since ä") })
			r, err := deliver(t, newDriver(t, nil), "grpc://"+ln.Addr().String())
			if err == nil || err.Error() != want.words || delivery.IsPermanent(err) != want.permanent || delivery.IsGone(err) {
				t.Errorf("error %v, permanent %v; want %v", err, delivery.IsPermanent(err), want)
			}
			if r.StatusCode != int(code) || r.ResponseBody != "since ä" {
				t.Errorf("receipt %+v", r)
			}
		})
	}
}

// TestNoGRPC shows that what is no answer of gRPC is not taken for one: a proxy
// that answers 404 while its service is away must not make dead letters.
func TestNoGRPC(t *testing.T) {
	t.Parallel()
	web := httptest.NewUnstartedServer(http.NotFoundHandler())
	web.Config.Protocols = new(http.Protocols)
	web.Config.Protocols.SetUnencryptedHTTP2(true)
	web.Start()
	t.Cleanup(web.Close)
	old := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(old.Close)
	for name, tt := range map[string]struct{ url, says string }{
		"HTTP/2": {web.URL, "404"},
		"HTTP/1": {old.URL, "HTTP/1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dr := newDriver(t, nil)
			r, err := deliver(t, dr, strings.Replace(tt.url, "http", "grpc", 1))
			if err == nil || delivery.IsPermanent(err) || r.StatusCode != delivery.NoAnswer ||
				!strings.HasPrefix(err.Error(), "no gRPC answer: ") || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}
