package operation

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
	validator "github.com/vektah/gqlparser/v2/validator/core"
)

// jsonScalar is the scalar whose values keep their text.
const jsonScalar = "JSON"

// literals is a rule of validation that turns every JSON literal into its JSON
// text, and refuses numbers that the executor could not read. It is no check
// after validation, as ValuesOfCorrectType reads the numbers of what a value is
// part of; parts are walked first. It must run behind UniqueInputFieldNames;
// rules run in the order of their names.
func literals() validator.Rule {
	return validator.Rule{Name: "ValuesAsJSON", RuleFunc: func(observers *validator.Events, addError validator.AddErrFunc) {
		done := make(map[*ast.Value]bool) // a fragment is walked for each of its operations
		observers.OnValue(func(_ *validator.Walker, v *ast.Value) {
			if done[v] {
				return
			}
			done[v] = true
			if isJSON(v) && !hasVariable(v) {
				*v = ast.Value{
					Raw: string(appendJSON(nil, v)), Kind: ast.StringValue,
					Position: v.Position, Definition: v.Definition, ExpectedType: v.ExpectedType,
				}
				return
			}
			if !fits(v, isJSON(v)) {
				addError(validator.Message("The number is too large here: pass it in a variable."), validator.At(v.Position))
			}
		})
	}}
}

// isJSON tells whether v stands where the scalar JSON is wanted, not a list of them.
func isJSON(v *ast.Value) bool {
	if v.Definition == nil || v.Definition.Name != jsonScalar || v.Kind == ast.NullValue || v.Kind == ast.Variable {
		return false
	}
	return v.Kind != ast.ListValue || v.ExpectedType == nil || v.ExpectedType.Elem == nil
}

// fits tells whether a number is one for the executor, and an Int for GraphQL.
func fits(v *ast.Value, deep bool) bool {
	var err error
	switch v.Kind {
	case ast.IntValue:
		bits := 64
		if v.Definition != nil && v.Definition.Name == "Int" {
			bits = 32
		}
		if v.Definition != nil || deep {
			_, err = strconv.ParseInt(v.Raw, 10, bits)
		}
	case ast.FloatValue:
		if v.Definition != nil || deep {
			_, err = strconv.ParseFloat(v.Raw, 64)
		}
	}
	for _, child := range v.Children {
		if deep && !fits(child.Value, true) {
			return false
		}
	}
	return err == nil
}

func hasVariable(v *ast.Value) bool {
	if v.Kind == ast.Variable {
		return true
	}
	for _, child := range v.Children {
		if hasVariable(child.Value) {
			return true
		}
	}
	return false
}

// appendJSON writes a literal as JSON in the order of the source, numbers as they stand there.
func appendJSON(b []byte, v *ast.Value) []byte {
	switch v.Kind {
	case ast.ListValue:
		b = append(b, '[')
		for i, child := range v.Children {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, child.Value)
		}
		return append(b, ']')
	case ast.ObjectValue:
		b = append(b, '{')
		for i, child := range v.Children {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, child.Name), ':')
			b = appendJSON(b, child.Value)
		}
		return append(b, '}')
	case ast.StringValue, ast.BlockValue, ast.EnumValue:
		return appendString(b, v.Raw)
	}
	return append(b, v.Raw...) // a number, true, false or null: the same in both languages
}

// appendString writes s as a JSON string, `<` and `>` left as they are.
func appendString(b []byte, s string) []byte {
	return append(b, encode(s)...)
}

// encode gives v as JSON, `<` and `>` left as they are. v is of types that JSON knows.
func encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return []byte("null")
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte{'\n'})
}
