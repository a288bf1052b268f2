package cloudevents

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/wire"
)

// bodyTimeout is how long a body may take to arrive.
const bodyTimeout = 30 * time.Second

// A Publisher stores events, all or none, and answers after the commit.
// *events.Publisher is one; the Field of its errors begins with "input.N".
type Publisher interface {
	Publish(ctx context.Context, input []*hark.NewEvent) (events []*hark.Event, duplicates int, err error)
}

// Projects finds a project by id or slug, and the default one by nothing; NOT_FOUND.
type Projects interface {
	ProjectID(ctx context.Context, ref string) (hark.ID, error)
}

// A Handler answers POST /api/v1/events.
type Handler struct {
	publisher Publisher
	projects  Projects
	access    authority.Access
	log       *slog.Logger
}

// New makes a Handler.
func New(p Publisher, ps Projects, a authority.Access, log *slog.Logger) *Handler {
	return &Handler{publisher: p, projects: ps, access: a, log: log}
}

// stored is the answer: one entry for each event, in the order of the request.
type stored struct {
	Events     []place `json:"events"`
	Duplicates int     `json:"duplicates"` // how many were there already by source and id
}

type place struct {
	ID       hark.ID `json:"id"`
	Sequence int64   `json:"sequence"`
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r, err := authority.Authenticate(r, h.access)
	if err == nil {
		_, err = hark.ViewerFrom(r.Context())
	}
	if err != nil {
		wire.WriteError(w, r, h.log, err)
		return
	}
	format, ok := formatOf(r.Header)
	if !ok {
		wire.Refuse(w, r, http.StatusUnsupportedMediaType,
			"send "+typeStructured+", "+typeBatch+", or JSON with the attributes in ce- headers, in UTF-8")
		return
	}
	body, err := read(w, r)
	if err != nil {
		wire.WriteError(w, r, h.log, err)
		return
	}
	found, wrong := format.parse(r.Header, body)
	if wrong != nil {
		wire.Unprocessable(w, r, wrong)
		return
	}
	answer, err := h.publish(r.Context(), found)
	if err != nil {
		wire.WriteError(w, r, h.log, located(err, format == batch))
		return
	}
	wire.WriteJSON(w, http.StatusOK, answer)
}

func (h *Handler) publish(ctx context.Context, found []*event) (*stored, error) {
	input := make([]*hark.NewEvent, len(found))
	for i, e := range found {
		project, err := h.projects.ProjectID(ctx, e.project)
		if err != nil {
			return nil, err
		}
		input[i] = &e.NewEvent
		input[i].ProjectID = project
	}
	events, duplicates, err := h.publisher.Publish(ctx, input)
	if err != nil {
		return nil, err
	}
	wire.Note(ctx, slog.Int("events", len(events)))
	s := &stored{Events: make([]place, len(events)), Duplicates: duplicates}
	for i, e := range events {
		s.Events[i] = place{e.ID, e.Sequence}
	}
	return s, nil
}

func read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(bodyTimeout)) // without one the server's limits still hold
	defer func() { _ = c.SetReadDeadline(time.Time{}) }()
	body, err := io.ReadAll(r.Body)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok || err == nil {
		return body, err
	}
	return nil, hark.BadInput("", "the body did not arrive")
}

// A format is a content mode of the HTTP binding.
type format string

const (
	binary     format = "binary"
	structured format = "structured"
	batch      format = "batch"

	typeStructured = "application/cloudevents+json"
	typeBatch      = "application/cloudevents-batch+json"
)

// formatOf tells the content mode as the binding does: by the media type alone.
func formatOf(h http.Header) (f format, ok bool) {
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := params["charset"]
	utf8 := charset == "" || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "us-ascii")
	switch {
	case media == typeStructured && err == nil:
		return structured, utf8
	case media == typeBatch && err == nil:
		return batch, utf8
	case strings.HasPrefix(media, "application/cloudevents"):
		return "", false // a format such as XML, which is optional
	}
	return binary, utf8 // whether the data is JSON is the event's question
}

// parse gives the events of a request, or all that is wrong with them.
func (f format) parse(h http.Header, body []byte) (found []*event, wrong []wire.Issue) {
	var is issues
	switch f {
	case binary:
		found = []*event{is.binary(h, body)}
	case structured:
		found = []*event{is.structured("", body)}
	case batch:
		found = is.batch(body)
	}
	return found, is
}

// located says of an error of the publisher where it is in the request.
func located(err error, batched bool) error {
	e, ok := errors.AsType[*hark.Error](err)
	if !ok || !strings.HasPrefix(e.Field, "input") {
		return err
	}
	parts := strings.SplitN(e.Field, ".", 4) // input, N, the field, and what is below it
	at := *e
	at.Field = ""
	if len(parts) == 2 { // of the event as a whole: its definition
		parts = append(parts, "resourceType")
	}
	if len(parts) > 2 {
		parts[2] = attributeOf(parts[2])
		if batched {
			at.Field = strings.Join(parts[1:], ".")
		} else {
			at.Field = strings.Join(parts[2:], ".")
		}
	}
	return &at
}
