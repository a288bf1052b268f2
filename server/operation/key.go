package operation

import (
	"encoding/json"
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
	vars, _ := json.Marshal(x.usedVariables()) // they came as JSON
	class := any(x.Class())
	if beyond(x.rootField().Field.SelectionSet) {
		class = private{class, x.viewer}
	}
	return stream.Key{Operation: x.text() + "\x00" + x.context.OperationName + "\x00" + string(vars), Class: class}
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

// text is the document, without the position if it stands there.
func (x *execution) text() string {
	for i, s := range x.context.Operation.SelectionSet {
		field, ok := s.(*ast.Field)
		if !ok {
			continue
		}
		if a := field.Arguments.ForName(afterArgument); a == nil || a.Value.Kind == ast.Variable {
			continue
		}
		bare, op, doc := *field, *x.context.Operation, *x.context.Doc
		bare.Arguments = withoutAfter(field.Arguments)
		op.SelectionSet = append(ast.SelectionSet{}, op.SelectionSet...)
		op.SelectionSet[i] = &bare
		doc.Operations = ast.OperationList{&op}
		var b strings.Builder
		formatter.NewFormatter(&b).FormatQueryDocument(&doc)
		return b.String()
	}
	return x.context.RawQuery
}

func withoutAfter(list ast.ArgumentList) (rest ast.ArgumentList) {
	for _, a := range list {
		if a.Name != afterArgument {
			rest = append(rest, a)
		}
	}
	return rest
}

// usedVariables are the values of all variables but one that is the position
// and nothing else.
func (x *execution) usedVariables() map[string]any {
	uses := make(map[string]int)
	count := func(list ast.ArgumentList) {
		for _, a := range list {
			countVariables(a.Value, uses)
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
	if a := x.rootField().Field.Arguments.ForName(afterArgument); a != nil && a.Value.Kind == ast.Variable {
		uses[a.Value.Raw]--
	}
	used := make(map[string]any, len(uses))
	for name, n := range uses {
		if v, ok := x.context.Variables[name]; ok && n > 0 {
			used[name] = v
		}
	}
	return used
}

func countVariables(v *ast.Value, uses map[string]int) {
	if v.Kind == ast.Variable {
		uses[v.Raw]++
	}
	for _, c := range v.Children {
		countVariables(c.Value, uses)
	}
}
