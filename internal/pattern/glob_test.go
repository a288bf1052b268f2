package pattern_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/hark-events/hark/internal/pattern"
)

func compile(t testing.TB, text string) pattern.Glob {
	t.Helper()
	g, err := pattern.CompileGlob(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return g
}

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ glob, yes, no string }{
		{"/", "/", "/a //"},
		{"/app/**", "/app /app/a /app/a/b", "/ /apple /App/a /app/.git /app/a/.b/c /x/app"},
		{"/app/*", "/app/a", "/app /app/ /app/a/b /app/.a"},
		{"/**", "/ /a /a/b /a/b.c", "/.a /a/.b /a/.b/c"},
		{"**", "/ /a /a/b a", "/.a /a/.b"},
		{"/{a,b}", "/a /b", "/c /ab /a,b"},
		{"/{a,b/{c,d}}/x", "/a/x /b/c/x /b/d/x", "/b/x /x"},
		{"/*", "/a", "/ /a/b"},
		{"/a?c", "/abc /aéc", "/ac /a/c /abbc"},
		{"/?a", "/ba", "/.a"},
		{"/.*", "/.git /.", "/git /a/.git"},
		{"/.git/**", "/.git /.git/a", "/.git/.a"},
		{"/**/.env", "/.env /a/.env /a/b/.env", "/.x/.env"},
		{"/*.env", "/a.env", "/.env"},
		{"/**/b/**/d", "/b/d /a/b/c/d /b/b/d/d", "/b /d /b/c"},
		{"/a**", "/a /abc", "/a/b"},
		{`/\*`, "/*", "/a"},
		{`/\{a\,b\}`, "/{a,b}", "/a"},
		{"prod-*", "prod-eu prod-", "prod prod-/a"},
		{"/{,a}", "/ /a", "/b"},
		{"/Äpfel/*", "/Äpfel/ü", "/äpfel/ü"},
	} {
		g := compile(t, tt.glob)
		for s := range strings.FieldsSeq(tt.yes) {
			if !g.Match(s) {
				t.Errorf("%q does not match %q", tt.glob, s)
			}
		}
		for s := range strings.FieldsSeq(tt.no) {
			if g.Match(s) {
				t.Errorf("%q matches %q", tt.glob, s)
			}
		}
		if g.Match("") {
			t.Errorf("%q matches what is not there", tt.glob)
		}
	}
}

func TestGlobErrors(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":             "",
		"too long":          "/" + strings.Repeat("a", pattern.MaxGlob),
		"no text":           "/\xff",
		"open brace":        "/{a",
		"closing brace":     "/a}",
		"class":             "/[ab]",
		"trailing escape":   `/a\`,
		"escaped slash":     `/a\/b`,
		"many alternatives": "/" + strings.Repeat("{a,b}", 7),
		"many bytes":        "/{" + strings.Repeat(",", 40) + "}" + strings.Repeat("a", 900),
		"deep braces":       strings.Repeat("{a,", 300) + strings.Repeat("}", 300),
	} {
		if _, err := pattern.CompileGlob(text); err == nil {
			t.Errorf("%s: compiled", name)
		}
	}
	if _, err := pattern.CompilePath("app/**"); err == nil {
		t.Error("a path without its slash compiled")
	}
}

// piece picks parts of globs and paths that make hits likely.
func piece(r *rand.Rand, from []string, most int) string {
	var b strings.Builder
	for range r.IntN(most) + 1 {
		b.WriteString(from[r.IntN(len(from))])
	}
	return b.String()
}

// like asks doublestar for each alternative by itself, because braces before
// a /** confuse it.
func like(t *testing.T, text, path string) bool {
	before, choice, braces := strings.Cut(text, "{")
	if !braces {
		matched, err := doublestar.Match(text, path)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return matched
	}
	choice, after, _ := strings.Cut(choice, "}")
	for option := range strings.SplitSeq(choice, ",") {
		if like(t, before+option+after, path) {
			return true
		}
	}
	return false
}

// Without dots hark's globs mean what doublestar's do.
func TestGlobLikeDoublestar(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	globs := []string{"/", "/", "a", "b", "ab", "*", "?", "/**/", "/**", "{a,b}", "{ab,b*}", "{a,b/a}", `\a`, "é"}
	paths := []string{"/", "/", "a", "b", "ab", "é"}
	single := strings.NewReplacer("******", "**", "****", "**", "***", "**", "//////", "/", "/////", "/", "////", "/", "///", "/", "//", "/")
	hits := 0
	for range 100_000 {
		text, path := single.Replace("/"+piece(r, globs, 6)), single.Replace("/"+piece(r, paths, 7))
		if len(text) > 1 {
			text = strings.TrimSuffix(text, "/") // doublestar takes a last slash behind ** as nothing
		}
		for strings.Contains(text, "/**/**") {
			text = strings.ReplaceAll(text, "/**/**", "/**") // which doublestar takes as at least one segment
		}
		if strings.HasSuffix(path, "/") && strings.Contains(strings.ReplaceAll(text, "/**", ""), "*") {
			continue // doublestar's star matches an empty segment, at times
		}
		if strings.Contains(text, "*/**") || strings.Contains(text, "*}/**") || strings.Contains(text, "}*") {
			continue // doublestar lets /b*/** and /b*** match /bc, but not /b
		}
		want := like(t, text, path)
		if want {
			hits++
		}
		if got := compile(t, text).Match(path); got != want {
			t.Fatalf("%q on %q: %v, doublestar says %v", text, path, got, want)
		}
	}
	if hits < 1000 {
		t.Errorf("only %d hits", hits)
	}
}

// Overlaps and Covers are measured by all short strings.
func TestGlobAlgebra(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	var all []string
	for _, alphabet := range []string{"/ab.", "/a"} {
		words := []string{"/"}
		for len(words) > 0 && len(words[0]) < 6 {
			all = append(all, words...)
			var longer []string
			for _, w := range words {
				for _, c := range alphabet {
					longer = append(longer, w+string(c))
				}
			}
			words = longer
		}
	}
	parts := []string{"/", "a", "b", ".", "*", "?", "/**"}
	for range 1500 {
		x, y := "/"+piece(r, parts, 3), "/"+piece(r, parts, 3)
		gx, gy := compile(t, x), compile(t, y)
		both, onlyY := "", ""
		for _, s := range all {
			inX, inY := gx.Match(s), gy.Match(s)
			if inX && inY {
				both = s
			}
			if inY && !inX {
				onlyY = s
			}
		}
		if got := gx.Overlaps(gy); got != gy.Overlaps(gx) || got != (both != "") {
			t.Fatalf("%q overlaps %q: %v, but both match %q", x, y, got, both)
		}
		if gx.Covers(gy) && onlyY != "" {
			t.Fatalf("%q covers %q, but does not match %q", x, y, onlyY)
		}
	}
	for _, c := range [][2]string{{"/**", "/app/**"}, {"/app/**", "/app"}, {"/app/**", "/app/*/x"}, {"/a*", "/a*"}, {"/app/*", "/app/a*"}, {"/*/b/**", "/a?/b/c*"}, {"/{a,b}/**", "/{a,b/c}"}} {
		if !compile(t, c[0]).Covers(compile(t, c[1])) {
			t.Errorf("%q does not cover %q", c[0], c[1])
		}
	}
}

func TestGlobDoesNotAllocate(t *testing.T) {
	for _, text := range []string{"/app/a", "/app/**", "/**/b*/?/{x,y}"} {
		g := compile(t, text)
		if n := testing.AllocsPerRun(100, func() { g.Match("/app/bcd/e/y") }); n != 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
}

func FuzzGlob(f *testing.F) {
	for _, s := range []string{"/", "/app/**", "/{a,b}/*?", `/\*`, "{{,},{,}}", "/**/.x/**"} {
		f.Add(s, "/app/.x/b")
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		if g, err := pattern.CompileGlob(text); err == nil {
			g.Match(path)
			if !g.Overlaps(g) {
				// Only a glob that matches nothing at all does not overlap itself.
				if g.Match(path) {
					t.Errorf("%q matches %q and nothing", text, path)
				}
			}
			if !g.Covers(g) {
				t.Errorf("%q does not cover itself", text)
			}
		}
	})
}

func BenchmarkGlob(b *testing.B) {
	for _, text := range []string{"/app/**", "/**", "/**/b*/?/{x,y}"} {
		b.Run(text, func(b *testing.B) {
			g := compile(b, text)
			for b.Loop() {
				g.Match("/app/bcd/e/y")
			}
		})
	}
}
