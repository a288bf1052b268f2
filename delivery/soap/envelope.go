package soap

import (
	"bytes"
	"encoding/xml"
	"net/http"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

// Action names the operation Deliver, in SOAPAction (1.1) or as action (1.2).
const Action = "urn:hark:v1/Deliver"

// Namespaces of the envelope.
const (
	Namespace11 = "http://schemas.xmlsoap.org/soap/envelope/"
	Namespace12 = "http://www.w3.org/2003/05/soap-envelope"
)

// WS-Security 1.0 (OASIS 200401): its namespace, and the Type of a password
// that is told as it is. Nothing is gained by a digest, which would keep
// subscribers from storing a hash: HTTP Basic tells the password beside it.
const (
	securityNamespace = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	passwordText      = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText"
)

// A version is how one version of SOAP goes over HTTP.
type version struct {
	namespace   string
	contentType string
	soapAction  string // empty: 1.2 has it in the content type
}

func versionOf(s *hark.Subscription) version {
	if s.SOAPVersion == hark.SOAP12 {
		return version{Namespace12, `application/soap+xml; charset=utf-8; action="` + Action + `"`, ""}
	}
	return version{Namespace11, "text/xml; charset=utf-8", `"` + Action + `"`}
}

// describe sets the headers that belong to the envelope.
func (v version) describe(h http.Header) {
	h["Content-Type"] = []string{v.contentType}
	if v.soapAction != "" {
		h["SOAPAction"] = []string{v.soapAction}
	}
}

// appendEnvelope appends the message that brings d to s. The Security header is
// without mustUnderstand, so that a subscriber without WS-Security, who looks at
// Authorization, takes the message all the same.
func appendEnvelope(b []byte, v version, s *hark.Subscription, d *hark.Delivery) []byte {
	b = append(b, xml.Header+`<soap:Envelope xmlns:soap="`+v.namespace+`">`...)
	if c := &s.Credentials; c.Type == hark.Basic {
		b = append(b, `<soap:Header><wsse:Security xmlns:wsse="`+securityNamespace+`"><wsse:UsernameToken><wsse:Username>`...)
		b = appendText(b, c.Username)
		b = append(b, `</wsse:Username><wsse:Password Type="`+passwordText+`">`...)
		b = appendText(b, c.Password.Reveal())
		b = append(b, `</wsse:Password></wsse:UsernameToken></wsse:Security></soap:Header>`...)
	}
	b = delivery.AppendXML(append(b, `<soap:Body>`...), d)
	return append(b, `</soap:Body></soap:Envelope>`...)
}

// appendText appends s as character data. What XML cannot hold becomes U+FFFD.
func appendText(b []byte, s string) []byte {
	buf := bytes.NewBuffer(b)
	_ = xml.EscapeText(buf, []byte(s)) // a buffer never fails
	return buf.Bytes()
}
