package grpc

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

// metadataKey is what gRPC takes as a key, in any case: less than HTTP does.
var metadataKey = regexp.MustCompile(`^[0-9A-Za-z_.-]+$`)

// checkMetadata refuses credentials that fit into a header but not into metadata.
func checkMetadata(c hark.Credentials) error {
	if c.Type != hark.APIKey {
		return nil // ASCII by nature or, of OAUTH2, known only when they are sent
	}
	switch {
	case !metadataKey.MatchString(c.HeaderName):
		return hark.BadInput("auth.apiKey.headerName", "a key of gRPC metadata consists of letters, digits, - _ and ., such as X-API-KEY")
	case strings.HasSuffix(strings.ToLower(c.HeaderName), "-bin"):
		return hark.BadInput("auth.apiKey.headerName", "gRPC metadata takes keys that end in -bin for binary: use another name, such as X-API-KEY")
	case !printable(c.Key.Reveal()):
		return hark.BadInput("auth.apiKey.key", "the key has characters that gRPC metadata cannot carry: use visible ASCII")
	}
	return nil
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// sign gives the metadata of d but for credentials. The signature is over the
// payload: of a message, only its fields are at hand in every language, and
// not the bytes in which it came.
func (dr *Driver) sign(ctx context.Context, s *hark.Subscription, d *hark.Delivery) (metadata.MD, error) {
	id, now := d.ID.String(), time.Now().Unix()
	signature, err := dr.signer.Sign(s, id, now, payload(d.Event))
	if err != nil {
		return nil, err
	}
	md := metadata.MD{
		"webhook-id":        {id},
		"webhook-timestamp": {strconv.FormatInt(now, 10)},
		"webhook-signature": {signature},
	}
	if traceparent := delivery.Traceparent(ctx); traceparent != "" {
		md["traceparent"] = []string{traceparent}
	}
	return md, nil
}
