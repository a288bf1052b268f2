package soap

import (
	"encoding/xml"
	"strings"
)

// maxDepth is how many elements within one another are read of an answer. A
// Fault's words are at most 4 deep in it.
const maxDepth = 64

// A fault is a Fault of SOAP 1.1 or 1.2.
type fault struct{ code, reason strings.Builder }

// findFault looks for the Fault in an answer in UTF-8, nil if there is none, and
// tells whether it has seen all of the answer's Body or Fault. It forgives what
// a parser may: a Fault counts in an answer that is cut short, that has unknown
// entities (none is ever resolved, and a DTD is passed over), or that mixes both
// versions, as long as the Fault is in its envelope's namespace.
func findFault(answer string) (f *fault, whole bool) {
	d := xml.NewDecoder(strings.NewReader(undeclared(answer)))
	d.Strict = false
	var path []xml.Name
	for {
		token, err := d.Token()
		if err != nil {
			return f, false
		}
		switch t := token.(type) {
		case xml.StartElement:
			path = append(path, t.Name)
			if len(path) > maxDepth || path[0].Local != "Envelope" {
				return f, false
			}
			if len(path) == 3 && path[1].Local == "Body" && t.Name == (xml.Name{Space: path[0].Space, Local: "Fault"}) {
				f = &fault{}
			}
		case xml.EndElement:
			path = path[:len(path)-1]
			if f != nil {
				f.reason.WriteByte(' ') // between the languages of 1.2
			}
			if len(path) == 2 && f != nil || len(path) == 1 && t.Name.Local == "Body" {
				return f, true
			}
		case xml.CharData:
			if f != nil {
				f.take(path, t)
			}
		}
	}
}

// undeclared is an answer without its XML declaration: what that says of the
// charset holds no longer, and a version of XML is no reason to overlook a Fault.
func undeclared(answer string) string {
	answer = strings.TrimSpace(answer)
	if strings.HasPrefix(answer, "<?xml ") {
		_, answer, _ = strings.Cut(answer, "?>")
	}
	return answer
}

// take adds text that stands at path, if it is of those that count.
func (f *fault) take(path []xml.Name, text []byte) {
	place := ""
	for _, name := range path[3:] {
		place += "/" + name.Local
	}
	switch place {
	case "/faultcode", "/Code/Value":
		f.code.Write(text)
	case "/faultstring", "/Reason/Text":
		f.reason.Write(text)
	}
}

// String is one line, such as "Fault Server: try later". The code is without
// its prefix.
func (f *fault) String() string {
	s := "Fault"
	code := strings.TrimSpace(f.code.String())
	if code = code[strings.LastIndexByte(code, ':')+1:]; code != "" {
		s += " " + code
	}
	if reason := strings.Join(strings.Fields(f.reason.String()), " "); reason != "" {
		s += ": " + reason
	}
	return s
}
