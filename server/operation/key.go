package operation

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/stream"
)

// afterArgument is where a subscription begins: it makes no difference to the answers.
const afterArgument = "after"

// Key tells the answers of executions apart: by the operation, its variables
// and what the caller may see. The fields of the event itself are all that a
// class of callers has in common; what leads beyond it is shared by nobody but
// the same token's own streams.
func (x *execution) Key() stream.Key {
	vars, _ := json.Marshal(x.usedVariables(notAfter)) // they came as JSON
	key := stream.Key{Operation: x.text(notAfter) + "\x00" + x.context.OperationName + "\x00" + string(vars), Class: x.Class()}
	if beyond(x.rootField().Field.SelectionSet) {
		key.Class, key.Waits = private{key.Class, x.viewer}, true
	}
	return key
}

type private struct {
	class  any
	viewer *hark.Viewer
}

// beyond tells whether a selection on an event asks for more than its own fields.
func beyond(set ast.SelectionSet) bool {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			if len(s.SelectionSet) > 0 {
				return true
			}
		case *ast.InlineFragment:
			if beyond(s.SelectionSet) {
				return true
			}
		case *ast.FragmentSpread:
			if beyond(s.Definition.SelectionSet) {
				return true
			}
		}
	}
	return false
}

func notAfter(argument string) bool { return argument != afterArgument }

// text is the document, with those arguments of the field that opens the stream
// which tell; and all of them if that is inside a fragment.
func (x *execution) text(tells func(argument string) bool) string {
	for i, s := range x.context.Operation.SelectionSet {
		field, ok := s.(*ast.Field)
		if !ok {
			continue
		}
		told := slices.DeleteFunc(slices.Clone(field.Arguments), func(a *ast.Argument) bool {
			return !tells(a.Name) && a.Value.Kind != ast.Variable
		})
		if len(told) == len(field.Arguments) {
			continue
		}
		bare, op, doc := *field, *x.context.Operation, *x.context.Doc
		bare.Arguments = told
		op.SelectionSet = append(ast.SelectionSet{}, op.SelectionSet...)
		op.SelectionSet[i] = &bare
		doc.Operations = ast.OperationList{&op}
		var b strings.Builder
		formatter.NewFormatter(&b).FormatQueryDocument(&doc)
		return b.String()
	}
	return x.context.RawQuery
}

// usedVariables are the values of all variables but those that are in an argument
// which does not tell, and nothing else.
func (x *execution) usedVariables(tells func(argument string) bool) map[string]any {
	uses := make(map[string]int)
	count := func(list ast.ArgumentList) {
		for _, a := range list {
			countVariables(a.Value, uses, 1)
		}
	}
	var walk func(ast.SelectionSet)
	directives := func(list ast.DirectiveList) {
		for _, d := range list {
			count(d.Arguments)
		}
	}
	walk = func(set ast.SelectionSet) {
		for _, s := range set {
			switch s := s.(type) {
			case *ast.Field:
				count(s.Arguments)
				directives(s.Directives)
				walk(s.SelectionSet)
			case *ast.InlineFragment:
				directives(s.Directives)
				walk(s.SelectionSet)
			case *ast.FragmentSpread:
				directives(s.Directives)
				walk(s.Definition.SelectionSet)
			}
		}
	}
	walk(x.context.Operation.SelectionSet)
	for _, a := range x.rootField().Field.Arguments {
		if !tells(a.Name) {
			countVariables(a.Value, uses, -1)
		}
	}
	used := make(map[string]any, len(uses))
	for name, n := range uses {
		if v, ok := x.context.Variables[name]; ok && n > 0 {
			used[name] = v
		}
	}
	return used
}

// countVariables adds n for each use of a variable.
func countVariables(v *ast.Value, uses map[string]int, n int) {
	if v.Kind == ast.Variable {
		uses[v.Raw] += n
	}
	for _, c := range v.Children {
		countVariables(c.Value, uses, n)
	}
}
