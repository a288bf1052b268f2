package operation

import (
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	validator "github.com/vektah/gqlparser/v2/validator/core"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/wire"
)

// checkScalar reads a value as a scalar of hark's own, as arguments are read
// when the operation runs: too late for a subscription, which is refused as a
// whole, and for a query with other fields. The error is BAD_USER_INPUT.
func checkScalar(name string, v any) error {
	switch name {
	case "UUID":
		return new(hark.ID).UnmarshalGQL(v)
	case "Time":
		return new(hark.Time).UnmarshalGQL(v)
	}
	return nil
}

// scalarLiterals is a rule of validation that reads literals by checkScalar.
// Its errors are BAD_USER_INPUT with the path of the argument.
func scalarLiterals() validator.Rule {
	return validator.Rule{Name: "ScalarLiterals", RuleFunc: func(observers *validator.Events, addError validator.AddErrFunc) {
		check := func(at *place, v *ast.Value) {
			walkLiteral(at, v, func(at *place, v *ast.Value, scalar string) {
				raw := any(v.Raw)
				if v.Kind != ast.StringValue && v.Kind != ast.BlockValue {
					raw = nil
				}
				if err := checkScalar(scalar, raw); err != nil {
					e := atArgument(wire.Classify(err), at.String())
					addError(validator.Message("%s", e.Message), validator.At(v.Position), func(shown *gqlerror.Error) {
						shown.Extensions = map[string]any{"code": string(e.Code), "field": e.Field}
					})
				}
			})
		}
		done := make(map[*ast.Field]bool) // a fragment is walked for each of its operations
		observers.OnField(func(_ *validator.Walker, f *ast.Field) {
			for _, a := range f.Arguments {
				if !done[f] {
					check(&place{name: a.Name}, a.Value)
				}
			}
			done[f] = true
		})
		observers.OnOperation(func(_ *validator.Walker, op *ast.OperationDefinition) {
			for _, d := range op.VariableDefinitions {
				if d.DefaultValue != nil {
					check(&place{name: d.Variable, of: op}, d.DefaultValue)
				}
			}
		})
	}}
}

// walkLiteral calls f for each scalar that a literal has in it.
func walkLiteral(at *place, v *ast.Value, f func(at *place, v *ast.Value, scalar string)) {
	switch v.Kind {
	case ast.Variable, ast.NullValue:
	case ast.ListValue:
		for i, c := range v.Children {
			walkLiteral(&place{within: at, name: strconv.Itoa(i)}, c.Value, f)
		}
	case ast.ObjectValue:
		for _, c := range v.Children {
			walkLiteral(&place{within: at, name: c.Name}, c.Value, f)
		}
	default:
		if v.Definition != nil {
			f(at, v, v.Definition.Name)
		}
	}
}

// argumentOf is the path of the first argument in set that a variable is given
// to; empty: there is none.
func argumentOf(set ast.SelectionSet, variable string) (path string) {
	for _, s := range set {
		var within ast.SelectionSet
		switch s := s.(type) {
		case *ast.Field:
			for _, a := range s.Arguments {
				if path = variableIn(&place{name: a.Name}, a.Value, variable); path != "" {
					return path
				}
			}
			within = s.SelectionSet
		case *ast.InlineFragment:
			within = s.SelectionSet
		case *ast.FragmentSpread:
			within = s.Definition.SelectionSet
		}
		if path = argumentOf(within, variable); path != "" {
			return path
		}
	}
	return ""
}

// variableIn is where a variable stands in a value; empty: nowhere.
func variableIn(at *place, v *ast.Value, variable string) (path string) {
	if v.Kind == ast.Variable && v.Raw == variable {
		return at.String()
	}
	for i, c := range v.Children {
		name := c.Name
		if v.Kind == ast.ListValue {
			name = strconv.Itoa(i)
		}
		if path = variableIn(&place{within: at, name: name}, c.Value, variable); path != "" {
			return path
		}
	}
	return ""
}
