package operation

import (
	"context"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/hark-events/hark"
)

// Limits of a document.
const (
	maxTokens        = 2000
	maxDepth         = 15      // fields inside fields; introspection is bounded by the validator
	maxFields        = 5000    // with every fragment written out
	cachedDocuments  = 1000    // documents kept parsed
	maxCachedLength  = 8 << 10 // bytes of a document that is kept
	introspectionRun = "__"    // how the names of introspection begin
)

// documents parses and validates, and keeps what was parsed.
type documents struct {
	schema *ast.Schema
	parsed *lru.Cache[string, *ast.QueryDocument]
}

func newDocuments(s *ast.Schema) *documents {
	parsed, _ := lru.New[string, *ast.QueryDocument](cachedDocuments) // fails for a size below 1 only
	return &documents{schema: s, parsed: parsed}
}

// load gives the document of a query, ready to execute. Nobody changes it.
func (d *documents) load(query string) (*ast.QueryDocument, error) {
	if doc, ok := d.parsed.Get(query); ok {
		return doc, nil
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: query}, maxTokens)
	if err != nil {
		return nil, coded(hark.ParseFailed, gqlerror.List{gqlerror.WrapIfUnwrapped(err)})
	}
	if len(doc.Operations) == 0 {
		return nil, hark.Errorf(hark.Invalid, "the document has no operation")
	}
	// Before validation, whose rules write fragments out too.
	if newMeasure(doc).tooLarge() {
		return nil, hark.Errorf(hark.TooComplex,
			"the document nests deeper than %d fields or selects more than %d: ask in several requests", maxDepth, maxFields)
	}
	if errs := validator.ValidateWithRules(d.schema, doc, documentRules()); len(errs) > 0 {
		return nil, coded(hark.Invalid, errs)
	}
	if len(query) <= maxCachedLength {
		d.parsed.Add(query, doc)
	}
	return doc, nil
}

// coded marks the validator's own errors, which may be shown as they are.
func coded(c hark.Code, errs gqlerror.List) gqlerror.List {
	for _, e := range errs {
		if e.Extensions["code"] == nil { // else a rule of hark's own knows better
			e.Extensions = map[string]any{"code": string(c)}
		}
		e.Err = nil
	}
	return errs
}

// documentRules are the specification's, those without suggestions where there
// is a choice: an error is no way around a switched-off introspection.
func documentRules() *rules.Rules {
	return rules.NewRules(
		rules.FieldsOnCorrectTypeRuleWithoutSuggestions,
		rules.FragmentsOnCompositeTypesRule,
		rules.KnownArgumentNamesRuleWithoutSuggestions,
		rules.KnownDirectivesRule,
		rules.KnownFragmentNamesRule,
		rules.KnownRootTypeRule,
		rules.KnownTypeNamesRuleWithoutSuggestions,
		rules.LoneAnonymousOperationRule,
		rules.MaxIntrospectionDepth,
		rules.NoFragmentCyclesRule,
		rules.NoUndefinedVariablesRule,
		rules.NoUnusedFragmentsRule,
		rules.NoUnusedVariablesRule,
		rules.OverlappingFieldsCanBeMergedRule,
		rules.PossibleFragmentSpreadsRule,
		rules.ProvidedRequiredArgumentsRule,
		rules.ScalarLeafsRuleWithoutSuggestions,
		rules.SingleFieldSubscriptionsRule,
		rules.UniqueArgumentNamesRule,
		rules.UniqueDirectivesPerLocationRule,
		rules.UniqueFragmentNamesRule,
		rules.UniqueInputFieldNamesRule,
		rules.UniqueOperationNamesRule,
		rules.UniqueVariableNamesRule,
		literals(),
		scalarLiterals(),
		rules.ValuesOfCorrectTypeRuleWithoutSuggestions,
		rules.VariablesAreInputTypesRule,
		rules.VariablesInAllowedPositionRule,
	)
}

// loaded is the executor's query cache: it always holds the one document that
// was loaded for the operation, so nothing is parsed twice.
type loaded struct{}

type loadedKey struct{}

func withLoaded(ctx context.Context, doc *ast.QueryDocument) context.Context {
	return context.WithValue(ctx, loadedKey{}, doc)
}

func (loaded) Get(ctx context.Context, _ string) (*ast.QueryDocument, bool) {
	doc, ok := ctx.Value(loadedKey{}).(*ast.QueryDocument)
	return doc, ok
}

func (loaded) Add(context.Context, string, *ast.QueryDocument) {}
