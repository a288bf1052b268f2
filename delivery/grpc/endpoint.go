package grpc

import (
	"errors"
	"net/url"
	"strings"

	"github.com/hark-events/hark"
)

// An endpoint is where a subscriber listens: what connections are kept for.
type endpoint struct {
	addr string // host:port
	tls  bool
}

var errEndpoint = errors.New("the endpoint of a gRPC callback is grpc://host:port, or grpcs://host:port with TLS, and nothing more")

// parse reads an endpoint. Its error does not quote it.
func parse(s string) (endpoint, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "grpc" && u.Scheme != "grpcs" || u.Hostname() == "" || u.Port() == "" ||
		u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return endpoint{}, errEndpoint
	}
	return endpoint{addr: u.Host, tls: u.Scheme == "grpcs"}, nil
}

func checkEndpoint(s string) error {
	if len(s) > hark.MaxEndpoint {
		return hark.BadInput("deliveryEndpoint", "the endpoint is longer than %d characters", hark.MaxEndpoint)
	}
	if _, err := parse(s); err != nil {
		return hark.BadInput("deliveryEndpoint", "%v", err)
	}
	return nil
}
