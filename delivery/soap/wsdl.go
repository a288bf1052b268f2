package soap

import (
	_ "embed"
	"net/http"
	"strconv"
)

//go:embed hark.wsdl
var wsdl []byte

// WSDL serves the description from which a SOAP stack generates a receiver, to
// anybody: it is the same on every hark.
func WSDL() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(len(wsdl)))
		_, _ = w.Write(wsdl) // a reader that is gone needs no answer
	})
}
