package cloudevents

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hark-events/hark"
)

// structured reads an event in the JSON format; at is its path, such as "2.".
func (is *issues) structured(at string, raw []byte) *event {
	if !utf8.Valid(raw) {
		is.add(strings.TrimSuffix(at, "."), "the event is not UTF-8")
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		is.add(strings.TrimSuffix(at, "."), "a CloudEvent in the JSON format is a JSON object")
		return nil
	}
	values := make(map[string]string, len(members))
	for name, member := range members {
		if name == "data" || name == "data_base64" || string(member) == "null" {
			continue
		}
		var text string
		if json.Unmarshal(member, &text) == nil {
			values[name] = text
		} else if known(name) {
			is.add(at+name, "the attribute %s is a string", name)
			values[name] = "?" // it is there, so it is not told of as missing too
		}
	}
	e := is.event(at, func(name string) string { return values[name] })
	is.checkContentType(at, values["datacontenttype"])
	e.Payload = is.data(at, members)
	return e
}

// known tells whether hark reads the attribute: others may be of any type.
func known(name string) bool {
	switch name {
	case "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "harkproject", "harkenvironment":
		return true
	}
	return false
}

// data gives the member data byte for byte, or what data_base64 stands for.
func (is *issues) data(at string, members map[string]json.RawMessage) hark.JSON {
	encoded, ok := members["data_base64"]
	if !ok || string(encoded) == "null" {
		return is.checkData(at, members["data"])
	}
	if _, both := members["data"]; both {
		is.add(at+"data", "send either data or data_base64")
		return nil
	}
	var text string
	err := json.Unmarshal(encoded, &text)
	decoded, errText := base64.StdEncoding.DecodeString(text)
	if err != nil || errText != nil {
		is.add(at+"data_base64", "it is no base64 text")
		return nil
	}
	return is.checkData(at, decoded)
}

// batch reads a JSON array of events in the JSON format.
func (is *issues) batch(raw []byte) []*event {
	var list []json.RawMessage
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte{'['}) || json.Unmarshal(raw, &list) != nil {
		is.add("", "a batch is a JSON array of CloudEvents")
		return nil
	}
	if len(list) == 0 || len(list) > hark.MaxPublish {
		is.add("", "a batch has 1 to %d events, not %d", hark.MaxPublish, len(list))
		return nil
	}
	found := make([]*event, len(list))
	for i, one := range list {
		found[i] = is.structured(fmt.Sprintf("%d.", i), one)
		if len(*is) > maxIssues {
			break
		}
	}
	return found
}

// maxIssues is how many issues are told of before the rest of a batch is left alone.
const maxIssues = 50
