package graphqlhttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/operation"
)

// bodyTimeout is how long a body may take to arrive.
const bodyTimeout = 30 * time.Second

// A rejection is of a request that is none, with its HTTP status.
type rejection struct {
	status int
	err    *hark.Error
}

func reject(status int, format string, args ...any) *rejection {
	return &rejection{status, hark.Errorf(hark.BadUserInput, format, args...)}
}

// read reads a request, by the method that it comes with.
func read(w http.ResponseWriter, r *http.Request) (operation.Request, *rejection) {
	switch r.Method {
	case http.MethodPost:
		return fromBody(w, r)
	case http.MethodGet:
		return fromURL(r.URL.Query())
	}
	w.Header().Set("Allow", "GET, POST")
	return operation.Request{}, reject(http.StatusMethodNotAllowed, "GraphQL is served by POST and GET")
}

// fromURL reads the request of a GET.
func fromURL(q url.Values) (operation.Request, *rejection) {
	for _, name := range []string{"variables", "extensions"} {
		if raw := q.Get(name); raw != "" && !json.Valid([]byte(raw)) {
			return operation.Request{}, reject(http.StatusBadRequest, "%s must be a JSON object", name)
		}
	}
	return check(operation.Request{
		Query: q.Get("query"), OperationName: q.Get("operationName"),
		Variables: json.RawMessage(q.Get("variables")), Extensions: json.RawMessage(q.Get("extensions")),
	})
}

// fromBody reads the request of a POST. Nothing of a body that is no JSON is echoed.
func fromBody(w http.ResponseWriter, r *http.Request) (req operation.Request, _ *rejection) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || media != typeJSON || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return req, reject(http.StatusUnsupportedMediaType, "send the request as Content-Type: application/json in UTF-8")
	}
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(bodyTimeout)) // without one the server's limits still hold
	body, err := io.ReadAll(r.Body)
	_ = c.SetReadDeadline(time.Time{})
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return req, reject(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes: send less at once", tooLarge.Limit)
	}
	switch {
	case err != nil:
		return req, reject(http.StatusBadRequest, "the body did not arrive")
	case !utf8.Valid(body):
		return req, reject(http.StatusBadRequest, "the body is not UTF-8")
	}
	var fields struct {
		Query         *string         `json:"query"`
		OperationName *string         `json:"operationName"`
		Variables     json.RawMessage `json:"variables"`
		Extensions    json.RawMessage `json:"extensions"`
	}
	if err := json.Unmarshal(body, &fields); err != nil || !isObject(body) {
		return req, reject(http.StatusBadRequest, "the body is no JSON object with a query, and perhaps an operationName, variables and extensions")
	}
	if fields.Query != nil {
		req.Query = *fields.Query
	}
	if fields.OperationName != nil {
		req.OperationName = *fields.OperationName
	}
	req.Variables, req.Extensions = fields.Variables, fields.Extensions
	return check(req)
}

// check refuses what is no request, whatever a schema says of it.
func check(req operation.Request) (operation.Request, *rejection) {
	for name, raw := range map[string]json.RawMessage{"variables": req.Variables, "extensions": req.Extensions} {
		if len(raw) > 0 && !isObject(raw) && string(bytes.TrimSpace(raw)) != "null" {
			return req, reject(http.StatusBadRequest, "%s must be a JSON object", name)
		}
	}
	if req.Query == "" && !bytes.Contains(req.Extensions, []byte("persistedQuery")) {
		return req, reject(http.StatusBadRequest, "the request has no query")
	}
	return req, nil
}

func isObject(raw []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte{'{'}) }
