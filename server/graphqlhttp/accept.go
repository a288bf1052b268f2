package graphqlhttp

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/hark-events/hark/server/sse"
)

// The media types of answers.
const (
	typeResponse  = "application/graphql-response+json"
	typeJSON      = "application/json"
	typeMultipart = "multipart/mixed" // with the parameter subscriptionSpec=1.0
)

// accepted is what an Accept header leaves to choose from.
type accepted struct {
	json    string  // the better JSON type; empty: none
	quality float64 // of json
	form    form    // the better kind of stream, which must be named: a wildcard does not ask for one; nil: none
	stream  float64 // quality of form
}

// negotiate reads Accept by quality, then by order. Nothing at all accepts
// everything, and of that hark answers application/json, as graphql-over-http wants.
func negotiate(h http.Header) (a accepted) {
	values := h.Values("Accept")
	if len(values) == 0 {
		return accepted{json: typeJSON, quality: 1}
	}
	named := map[string]bool{}
	var ranges []accepted // of JSON, by wildcard
	for _, part := range strings.Split(strings.Join(values, ","), ",") {
		media, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		quality := 1.0
		if q, ok := params["q"]; ok {
			if quality, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		switch media {
		case sse.Media:
			a.offer(events{}, quality)
		case typeMultipart:
			if params["subscriptionspec"] == "1.0" {
				a.offer(multipart{}, quality)
			}
		case typeResponse, typeJSON:
			named[media] = true
			if quality > a.quality {
				a.json, a.quality = media, quality
			}
		case "application/*", "*/*":
			ranges = append(ranges, accepted{quality: quality})
		}
	}
	for _, r := range ranges { // of what is not named: a name says more
		for _, media := range []string{typeJSON, typeResponse} {
			if r.quality > a.quality && !named[media] {
				a.json, a.quality = media, r.quality
			}
		}
	}
	return a
}

// offer takes a kind of stream if there is no better one.
func (a *accepted) offer(f form, quality float64) {
	if quality > a.stream {
		a.form, a.stream = f, quality
	}
}

// wantsStream tells whether a single answer is to come as a stream: as events
// only when they are preferred, as many clients list all that they can read, and
// in parts only when nothing else will do, as they are for subscriptions.
func (a accepted) wantsStream() bool {
	return a.form != nil && a.json == "" || a.form == events{} && a.stream > a.quality
}

// mayStream tells whether a subscription can be answered.
func (a accepted) mayStream() bool { return a.form != nil }

// or is the JSON type for an answer that the client may not have asked for.
func (a accepted) or(fallback string) string {
	if a.json == "" {
		return fallback
	}
	return a.json
}
