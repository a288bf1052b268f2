package operation

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// size is how much a selection asks for, with every fragment written out.
type size struct{ fields, depth int }

func (s size) and(o size) size {
	// Both are bounded, so the sum of doubling fragments cannot overflow.
	return size{min(s.fields+o.fields, maxFields+1), max(s.depth, o.depth)}
}

// measure sizes a document that is not validated yet: each fragment once, so
// that fragments which double each other cost nothing.
type measure struct {
	doc       *ast.QueryDocument
	fragments map[string]*size // nil while it is being measured: a cycle, which the validator refuses
}

func newMeasure(doc *ast.QueryDocument) *measure {
	return &measure{doc: doc, fragments: make(map[string]*size)}
}

func (m *measure) tooLarge() bool {
	for _, op := range m.doc.Operations {
		if s := m.selection(op.SelectionSet, true); s.fields > maxFields || s.depth > maxDepth {
			return true
		}
	}
	return false
}

func (m *measure) selection(set ast.SelectionSet, root bool) (s size) {
	for _, selection := range set {
		switch sel := selection.(type) {
		case *ast.Field:
			inner := m.selection(sel.SelectionSet, false)
			inner.fields++
			inner.depth++
			if root && strings.HasPrefix(sel.Name, introspectionRun) {
				inner.depth = 1
			}
			s = s.and(inner)
		case *ast.InlineFragment:
			s = s.and(m.selection(sel.SelectionSet, root))
		case *ast.FragmentSpread:
			s = s.and(m.fragment(sel.Name, root))
		}
	}
	return s
}

func (m *measure) fragment(name string, root bool) size {
	key := name
	if root {
		key = " " + name // introspection's depth counts apart at the root
	}
	if known, ok := m.fragments[key]; ok {
		if known == nil {
			return size{}
		}
		return *known
	}
	m.fragments[key] = nil
	var s size
	if f := m.doc.Fragments.ForName(name); f != nil {
		s = m.selection(f.SelectionSet, root)
	}
	m.fragments[key] = &s
	return s
}

// rootFields gives the names of all fields that op selects at its root.
func rootFields(doc *ast.QueryDocument, op *ast.OperationDefinition) (names []string) {
	seen := make(map[string]bool)
	var walk func(ast.SelectionSet)
	walk = func(set ast.SelectionSet) {
		for _, selection := range set {
			switch sel := selection.(type) {
			case *ast.Field:
				names = append(names, sel.Name)
			case *ast.InlineFragment:
				walk(sel.SelectionSet)
			case *ast.FragmentSpread:
				if f := doc.Fragments.ForName(sel.Name); f != nil && !seen[sel.Name] {
					seen[sel.Name] = true
					walk(f.SelectionSet)
				}
			}
		}
	}
	walk(op.SelectionSet)
	return names
}
