package events

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/hark-events/hark"
)

// maxSchema is how many bytes a JSON Schema may have.
const maxSchema = 64 << 10

// noLoader refuses references out of the schema: a definition must not read
// files or call hosts.
type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("references out of the schema are not followed")
}

// compileSchema compiles a JSON Schema (2020-12 unless it names another draft).
func compileSchema(text hark.JSON) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoader{})
	const self = "urn:hark:schema"
	if err := c.AddResource(self, doc); err != nil {
		return nil, err
	}
	return c.Compile(self)
}

// checkSchema tells a person why a JSON Schema is none.
func checkSchema(field string, text hark.JSON) error {
	if len(text) == 0 {
		return nil
	}
	if len(text) > maxSchema {
		return hark.BadInput(field, "the JSON Schema has %d bytes; at most %d are allowed", len(text), maxSchema)
	}
	if _, err := compileSchema(text); err != nil {
		why := "it does not compile"
		if _, ok := errors.AsType[*jsonschema.LoadURLError](err); ok {
			why = "it refers to something outside of itself; put definitions into its $defs"
		}
		return &hark.Error{Code: hark.BadUserInput, Field: field, Message: "the JSON Schema can't be used: " + why, Err: err}
	}
	return nil
}

// validate tells a person where payload does not satisfy the definition's schema.
func (d *definition) validate(field string, payload hark.JSON) error {
	if d.broken != nil {
		return fmt.Errorf("compile the schema of %s: %w", KindOf(d.EventDefinition), d.broken)
	}
	if d.schema == nil {
		return nil
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
	if err != nil {
		return hark.BadInput(field, "the payload is no JSON")
	}
	err = d.schema.Validate(v)
	if err == nil {
		return nil
	}
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return fmt.Errorf("validate the payload: %w", err)
	}
	for len(invalid.Causes) > 0 {
		invalid = invalid.Causes[0]
	}
	return hark.BadInput(field, "the payload does not satisfy the schema of %s: at /%s: %s", KindOf(d.EventDefinition),
		strings.Join(invalid.InstanceLocation, "/"), invalid.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
}
