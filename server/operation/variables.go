package operation

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/hark-events/hark"
)

// decodeVariables reads the variables of op by their declared types: a JSON
// scalar stays json.RawMessage, byte for byte; everything else becomes what
// gqlgen expects. What is wrong is BAD_USER_INPUT with the path at fault.
func decodeVariables(schema *ast.Schema, op *ast.OperationDefinition, raw json.RawMessage) (map[string]any, error) {
	given, err := decodeObject("", raw)
	if err != nil {
		return nil, err
	}
	vars := make(map[string]any, len(given))
	for _, def := range op.VariableDefinitions {
		v, ok := given[def.Variable]
		if !ok {
			if def.DefaultValue == nil && def.Type.NonNull {
				return nil, hark.BadInput(def.Variable, "the variable $%s is required", def.Variable)
			}
			continue
		}
		if vars[def.Variable], err = decode(schema, def.Type, def.Variable, v); err != nil {
			return nil, err
		}
	}
	return vars, nil
}

func decode(schema *ast.Schema, t *ast.Type, path string, raw json.RawMessage) (any, error) {
	raw = bytes.TrimSpace(raw)
	if string(raw) == "null" {
		if t.NonNull {
			return nil, hark.BadInput(path, "%s must not be null", path)
		}
		return nil, nil
	}
	if t.Elem != nil {
		return decodeList(schema, t, path, raw)
	}
	def := schema.Types[t.NamedType]
	switch {
	case def.Kind == ast.InputObject:
		return decodeInput(schema, def, path, raw)
	case def.Kind == ast.Enum:
		s, ok := decodeAny(raw).(string)
		if !ok || def.EnumValues.ForName(s) == nil {
			return nil, hark.BadInput(path, "%s is none of the values of %s", path, def.Name)
		}
		return s, nil
	case def.Name == jsonScalar:
		return json.RawMessage(bytes.Clone(raw)), nil
	}
	v := decodeAny(raw)
	if !scalarFits(def.Name, v) {
		return nil, hark.BadInput(path, "%s must be of type %s", path, def.Name)
	}
	return v, nil
}

// decodeList makes a list of a single value too, as the specification wants.
// It does so itself: the validator would take a RawMessage's bytes for items.
func decodeList(schema *ast.Schema, t *ast.Type, path string, raw json.RawMessage) (any, error) {
	items := []json.RawMessage{raw}
	if raw[0] == '[' {
		if err := json.Unmarshal(raw, &items); err != nil {
			return nil, hark.BadInput(path, "%s is no JSON", path)
		}
	}
	list := make([]any, len(items))
	for i, item := range items {
		var err error
		if list[i], err = decode(schema, t.Elem, path+"."+strconv.Itoa(i), item); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func decodeInput(schema *ast.Schema, def *ast.Definition, path string, raw json.RawMessage) (any, error) {
	given, err := decodeObject(path, raw)
	if err != nil {
		return nil, err
	}
	input := make(map[string]any, len(given))
	for name, v := range given {
		field := def.Fields.ForName(name)
		if field == nil {
			return nil, hark.BadInput(path+"."+name, "%s has no field of that name", def.Name)
		}
		if input[name], err = decode(schema, field.Type, path+"."+name, v); err != nil {
			return nil, err
		}
	}
	for _, field := range def.Fields {
		if _, ok := given[field.Name]; !ok && field.Type.NonNull && field.DefaultValue == nil {
			return nil, hark.BadInput(path+"."+field.Name, "%s is required", path+"."+field.Name)
		}
	}
	if def.Directives.ForName("oneOf") != nil && !exactlyOne(input) {
		return nil, hark.BadInput(path, "%s takes exactly one of its fields, and that not null", def.Name)
	}
	return input, nil
}

func exactlyOne(input map[string]any) bool {
	for _, v := range input {
		return len(input) == 1 && v != nil
	}
	return false
}

// decodeObject reads an object's fields; missing and null give none.
func decodeObject(path string, raw json.RawMessage) (map[string]json.RawMessage, error) {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || string(raw) == "null" && path == "" {
		return nil, nil
	}
	var fields map[string]json.RawMessage
	if raw[0] != '{' || json.Unmarshal(raw, &fields) != nil {
		if path == "" {
			return nil, hark.BadInput("variables", "variables must be a JSON object")
		}
		return nil, hark.BadInput(path, "%s must be an object", path)
	}
	return fields, nil
}

// decodeAny reads JSON that is known to be well-formed, its numbers as text.
func decodeAny(raw json.RawMessage) (v any) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return nil
	}
	return v
}

// scalarFits checks the built-in scalars as strictly as literals are; hark's own check themselves.
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
	case "Float":
		_, err := n.Float64()
		return number && err == nil
	}
	return true
}
