package operation

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/wire"
)

// decodeVariables reads the variables of op by their declared types: a JSON
// scalar stays json.RawMessage, byte for byte; everything else becomes what
// gqlgen expects. What is wrong is BAD_USER_INPUT with the path at fault, which
// begins with the argument that the variable is for.
func decodeVariables(schema *ast.Schema, op *ast.OperationDefinition, raw json.RawMessage) (map[string]any, error) {
	vars := make(map[string]any, len(op.VariableDefinitions))
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && string(raw) != "null" {
		if raw[0] != '{' || !json.Valid(raw) {
			return nil, hark.BadInput("variables", "variables must be a JSON object")
		}
		for name, v := range members(raw) {
			def := op.VariableDefinitions.ForName(name)
			if def == nil {
				continue
			}
			var err error
			if vars[name], err = decode(schema, def.Type, &place{name: name, of: op}, v); err != nil {
				return nil, err
			}
		}
	}
	for _, def := range op.VariableDefinitions {
		if _, ok := vars[def.Variable]; !ok && def.DefaultValue == nil && def.Type.NonNull {
			return nil, hark.BadInput((&place{name: def.Variable, of: op}).String(), "the variable $%s is required", def.Variable)
		}
	}
	return vars, nil
}

// A place is where a value is in the arguments or variables. It is written out
// for errors only.
type place struct {
	within *place
	name   string
	of     *ast.OperationDefinition // whose variable it is
}

func (p *place) String() string {
	switch {
	case p.within != nil:
		return p.within.String() + "." + p.name
	case p.of != nil:
		return cmp.Or(argumentOf(p.of.SelectionSet, p.name), p.name)
	}
	return p.name
}

func (p *place) bad(format string, args ...any) error {
	path := p.String()
	return hark.BadInput(path, "%s "+format, append([]any{path}, args...)...)
}

func decode(schema *ast.Schema, t *ast.Type, at *place, raw json.RawMessage) (any, error) {
	if string(raw) == "null" {
		if t.NonNull {
			return nil, at.bad("must not be null")
		}
		return nil, nil
	}
	if t.Elem != nil {
		return decodeList(schema, t, at, raw)
	}
	def := schema.Types[t.NamedType]
	switch {
	case def.Kind == ast.InputObject:
		return decodeInput(schema, def, at, raw)
	case def.Kind == ast.Enum:
		s, ok := decodeAny(raw).(string)
		if !ok || def.EnumValues.ForName(s) == nil {
			return nil, at.bad("is none of the values of %s", def.Name)
		}
		return s, nil
	case def.Name == jsonScalar:
		return json.RawMessage(bytes.Clone(raw)), nil
	}
	v := decodeAny(raw)
	if !scalarFits(def.Name, v) {
		return nil, at.bad("must be of type %s", def.Name)
	}
	if err := checkScalar(def.Name, v); err != nil {
		return nil, atArgument(wire.Classify(err), at.String())
	}
	return v, nil
}

// decodeList makes a list of a single value too, as the specification wants.
// It does so itself: the validator would take a RawMessage's bytes for items.
func decodeList(schema *ast.Schema, t *ast.Type, at *place, raw json.RawMessage) (any, error) {
	list := []any{}
	add := func(item json.RawMessage) error {
		v, err := decode(schema, t.Elem, &place{within: at, name: strconv.Itoa(len(list))}, item)
		list = append(list, v)
		return err
	}
	if raw[0] != '[' {
		return list, add(raw)
	}
	for item := range items(raw) {
		if err := add(item); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func decodeInput(schema *ast.Schema, def *ast.Definition, at *place, raw json.RawMessage) (any, error) {
	if raw[0] != '{' {
		return nil, at.bad("must be an object")
	}
	input := make(map[string]any, len(def.Fields))
	for name, v := range members(raw) {
		at := &place{within: at, name: name}
		field := def.Fields.ForName(name)
		if field == nil {
			return nil, hark.BadInput(at.String(), "%s has no field of that name", def.Name)
		}
		var err error
		if input[name], err = decode(schema, field.Type, at, v); err != nil {
			return nil, err
		}
	}
	for _, field := range def.Fields {
		if _, ok := input[field.Name]; !ok && field.Type.NonNull && field.DefaultValue == nil {
			return nil, (&place{within: at, name: field.Name}).bad("is required")
		}
	}
	if def.Directives.ForName("oneOf") != nil && !exactlyOne(input) {
		return nil, hark.BadInput(at.String(), "%s takes exactly one of its fields, and that not null", def.Name)
	}
	return input, nil
}

func exactlyOne(input map[string]any) bool {
	for _, v := range input {
		return len(input) == 1 && v != nil
	}
	return false
}

// decodeAny reads well-formed JSON, its numbers as text.
func decodeAny(raw json.RawMessage) (v any) {
	switch raw[0] {
	case '"':
		return text(raw)
	case '{', '[':
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		_ = dec.Decode(&v) // it is well-formed
		return v
	case 't', 'f':
		return raw[0] == 't'
	}
	return json.Number(raw)
}

// scalarFits checks scalars of numbers and texts as strictly as literals are.
func scalarFits(name string, v any) bool {
	n, number := v.(json.Number)
	_, text := v.(string)
	switch name {
	case "String":
		return text
	case "Boolean":
		_, ok := v.(bool)
		return ok
	case "ID":
		return text || number
	case "Int":
		_, err := strconv.ParseInt(n.String(), 10, 32)
		return number && err == nil
	case "Long":
		_, err := strconv.ParseInt(n.String(), 10, 64)
		return number && err == nil
	case "Float":
		_, err := n.Float64()
		return number && err == nil
	}
	return true
}
