package graphqlhttp

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// The media types of answers.
const (
	typeResponse = "application/graphql-response+json"
	typeJSON     = "application/json"
	typeEvents   = "text/event-stream"
)

// accepted is what an Accept header leaves to choose from.
type accepted struct {
	json    string  // the better JSON type; empty: none
	quality float64 // of json
	events  float64 // quality of an event stream; it must be named, a wildcard does not ask for one
}

// negotiate reads Accept by quality, then by order. Nothing at all accepts
// everything, and of that hark answers application/json, as graphql-over-http wants.
func negotiate(h http.Header) (a accepted) {
	values := h.Values("Accept")
	if len(values) == 0 {
		return accepted{json: typeJSON, quality: 1}
	}
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
		case typeEvents:
			a.events = max(a.events, quality)
		case typeResponse, typeJSON, "application/*", "*/*":
			if quality > a.quality {
				a.quality, a.json = quality, typeJSON
				if media == typeResponse {
					a.json = typeResponse
				}
			}
		}
	}
	return a
}

// wantsEvents tells whether a query is to be answered as a stream: only when
// that is preferred, as many clients list all that they can read.
func (a accepted) wantsEvents() bool { return a.events > a.quality }

// mayStream tells whether a subscription can be answered.
func (a accepted) mayStream() bool { return a.events > 0 }

// or is the JSON type for an answer that the client may not have asked for.
func (a accepted) or(fallback string) string {
	if a.json == "" {
		return fallback
	}
	return a.json
}
