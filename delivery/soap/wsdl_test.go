package soap

import (
	"encoding/xml"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery/deliverytest"
)

// TestWSDL shows that the WSDL describes what is sent: the elements of the event
// in their order, the action, and one binding for each version.
func TestWSDL(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	WSDL().ServeHTTP(w, httptest.NewRequest("GET", "/soap/hark.wsdl", nil))
	if w.Header().Get("Content-Type") != "text/xml; charset=utf-8" {
		t.Error(w.Header())
	}
	var described struct {
		Elements []struct {
			Name  string `xml:"name,attr"`
			Parts []struct {
				Name      string `xml:"name,attr"`
				MinOccurs string `xml:"minOccurs,attr"`
			} `xml:"complexType>sequence>element"`
		} `xml:"types>schema>element"`
		Bindings []struct {
			Operations []struct {
				Operation struct {
					XMLName xml.Name
					Action  string `xml:"soapAction,attr"`
				} `xml:"operation"`
			} `xml:"operation"`
		} `xml:"binding"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &described); err != nil {
		t.Fatal(err)
	}
	var spaces []string
	for _, b := range described.Bindings {
		op := b.Operations[0].Operation
		if op.Action != Action {
			t.Errorf("action %q", op.Action)
		}
		spaces = append(spaces, op.XMLName.Space)
	}
	if !slices.Equal(spaces, []string{"http://schemas.xmlsoap.org/wsdl/soap/", "http://schemas.xmlsoap.org/wsdl/soap12/"}) {
		t.Errorf("bindings %q", spaces)
	}

	full, bare := deliverytest.Event(), deliverytest.Event()
	full.Actor = "somebody"
	bare.Path, bare.Environment = "", ""
	for _, event := range []*hark.Event{full, bare} {
		var want []string
		for _, p := range described.Elements[0].Parts {
			if p.MinOccurs != "0" || event == full {
				want = append(want, p.Name)
			}
		}
		if got := sent(t, event); !slices.Equal(got, want) {
			t.Errorf("sent %s\nWSDL %s", strings.Join(got, " "), strings.Join(want, " "))
		}
	}
}

// sent lists the elements of an event as they go out.
func sent(t *testing.T, e *hark.Event) (names []string) {
	t.Helper()
	s := deliverytest.Subscription(hark.SOAP, "https://example.com")
	var message struct {
		Body struct {
			Event struct {
				Parts []struct{ XMLName xml.Name } `xml:",any"`
			} `xml:"event"`
		}
	}
	if err := xml.Unmarshal(appendEnvelope(nil, versionOf(s), s, deliverytest.Delivery(s, e)), &message); err != nil {
		t.Fatal(err)
	}
	for _, p := range message.Body.Event.Parts {
		names = append(names, p.XMLName.Local)
	}
	return names
}
