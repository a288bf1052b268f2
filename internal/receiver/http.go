package receiver

import (
	"io"
	"net/http"
	"strings"

	"github.com/hark-events/hark"
)

// http takes callbacks by HTTP: envelopes as JSON and XML, and CloudEvents.
func (r *Receiver) http(w http.ResponseWriter, req *http.Request) {
	switch req.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
	default:
		w.Header().Set("Allow", "POST, PUT, PATCH")
		http.Error(w, "this is hark listen, which takes callbacks", http.StatusMethodNotAllowed)
		return
	}
	body, ok := read(w, req)
	if !ok {
		return
	}
	parse := ofJSON
	switch {
	case req.Header.Get("ce-specversion") != "":
		parse = func(body []byte) ([]byte, string, error) { return ofCloudEvent(req.Header, body) }
	case strings.Contains(req.Header.Get("Content-Type"), "xml"):
		parse = ofXML
	}
	message, delivery, err := parse(body)
	a := r.take(r.admit(hark.HTTP, req.Header.Get, body), message, delivery, err)
	if a.acknowledges() {
		w.WriteHeader(a.status)
		return
	}
	http.Error(w, a.reason, a.status)
}

// read reads a body within the limit, or answers.
func read(w http.ResponseWriter, req *http.Request) ([]byte, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
	if err != nil {
		http.Error(w, "the body is too long or broke off", http.StatusRequestEntityTooLarge)
		return nil, false
	}
	return body, true
}
