package receiver

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strings"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery/soap"
)

// soap takes the operation Deliver of the WSDL, and answers in the version in
// which it was called.
func (r *Receiver) soap(w http.ResponseWriter, req *http.Request) {
	body, ok := read(w, req)
	if !ok {
		return
	}
	message, delivery, err := ofEnvelope(body)
	a := r.take(r.admit(hark.SOAP, req.Header.Get, body), message, delivery, err)
	content := `<ack xmlns="urn:hark:v1"/>`
	namespace, contentType, fault := soap.Namespace11, "text/xml; charset=utf-8", fault11
	if strings.HasPrefix(req.Header.Get("Content-Type"), "application/soap+xml") {
		namespace, contentType, fault = soap.Namespace12, "application/soap+xml; charset=utf-8", fault12
	}
	if !a.acknowledges() {
		content = fault(a)
	} else if a.status == http.StatusNoContent || a.status == http.StatusResetContent {
		a.status = http.StatusOK // which has a body
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(a.status)
	_, _ = w.Write([]byte(xml.Header + `<soap:Envelope xmlns:soap="` + namespace + `"><soap:Body>` + content + `</soap:Body></soap:Envelope>`))
}

// ofEnvelope reads the event in a SOAP envelope.
func ofEnvelope(body []byte) (message []byte, deliveryID string, err error) {
	var envelope struct {
		XMLName xml.Name
		Body    struct {
			Event *event `xml:"urn:hark:v1 event"`
		}
	}
	if xml.Unmarshal(body, &envelope) != nil || envelope.XMLName.Local != "Envelope" || envelope.Body.Event == nil {
		return nil, "", errors.New("the body is no envelope with an event in it")
	}
	return envelope.Body.Event.message()
}

// fault11 blames hark for a 4xx, and the receiver for all else.
func fault11(a answer) string {
	code := "Server"
	if a.status/100 == 4 {
		code = "Client"
	}
	return `<soap:Fault><faultcode>soap:` + code + `</faultcode><faultstring>` + escaped(a.reason) + `</faultstring></soap:Fault>`
}

func fault12(a answer) string {
	code := "Receiver"
	if a.status/100 == 4 {
		code = "Sender"
	}
	return `<soap:Fault><soap:Code><soap:Value>soap:` + code + `</soap:Value></soap:Code><soap:Reason><soap:Text xml:lang="en">` +
		escaped(a.reason) + `</soap:Text></soap:Reason></soap:Fault>`
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder never fails
	return b.String()
}
