package console

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// get asks the playground as a client that takes the given encodings.
func get(t *testing.T, path, acceptEncoding string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept-Encoding", acceptEncoding)
	w := httptest.NewRecorder()
	Playground().ServeHTTP(w, r)
	return w.Result()
}

func read(t *testing.T, r io.Reader) []byte {
	t.Helper()
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// assets lists the URL paths of all embedded assets.
func assets(t *testing.T) []string {
	t.Helper()
	names, err := fs.Glob(dist, "dist/playground/assets/*.gz")
	if err != nil || len(names) == 0 {
		t.Fatalf("no assets are embedded (%v)", err)
	}
	for i, name := range names {
		names[i] = strings.TrimSuffix(strings.TrimPrefix(name, "dist"), ".gz")
	}
	return names
}

func TestPlaygroundServesThePage(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/playground", "/playground/"} {
		res := get(t, path, "")
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: %s %v", path, res.Status, res.Header)
		}
		if body := read(t, res.Body); !bytes.Contains(body, []byte(`<div id="root">`)) {
			t.Errorf("%s: not the page: %s", path, body)
		}
	}
}

func TestPlaygroundHasSecurityHeadersEverywhere(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/playground", assets(t)[0], "/playground/assets/unknown.js"} {
		h := get(t, path, "gzip").Header
		for key, want := range map[string]string{
			"X-Content-Type-Options": "nosniff",
			"X-Frame-Options":        "DENY",
			"Referrer-Policy":        "no-referrer",
		} {
			if got := h.Get(key); got != want {
				t.Errorf("%s: %s is %q, not %q", path, key, got, want)
			}
		}
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'self'", "connect-src 'self' ws: wss:", "frame-ancestors 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: the policy lacks %q: %s", path, want, csp)
			}
		}
		if strings.Contains(csp, "http:") || strings.Contains(csp, "https:") || strings.Contains(csp, "unsafe-eval") {
			t.Errorf("%s: the policy lets foreign code in: %s", path, csp)
		}
	}
}

func TestPlaygroundServesTheSameBytesInBothEncodings(t *testing.T) {
	t.Parallel()
	for _, path := range append(assets(t), "/playground") {
		packed, plain := get(t, path, "br, gzip"), get(t, path, "identity")
		if got := packed.Header.Get("Content-Encoding"); got != "gzip" {
			t.Fatalf("%s: Content-Encoding is %q for a client that takes gzip", path, got)
		}
		if got := plain.Header.Get("Content-Encoding"); got != "" {
			t.Fatalf("%s: Content-Encoding is %q for a client that takes none", path, got)
		}
		z, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if !bytes.Equal(read(t, z), read(t, plain.Body)) {
			t.Errorf("%s: the two encodings hold different bytes", path)
		}
		if tag := packed.Header.Get("ETag"); tag != "" && tag == plain.Header.Get("ETag") {
			t.Errorf("%s: both encodings have the ETag %s", path, tag)
		}
		if packed.Header.Get("Vary") != "Accept-Encoding" || plain.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: Vary is not Accept-Encoding", path)
		}
		if packed.Header.Get("Content-Type") == "application/octet-stream" {
			t.Errorf("%s: its content type is not known", path)
		}
	}
}

func TestPlaygroundCachesAssetsAndRevalidates(t *testing.T) {
	t.Parallel()
	path := assets(t)[0]
	res := get(t, path, "gzip")
	if got := res.Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
		t.Errorf("Cache-Control of an asset is %q", got)
	}
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("If-None-Match", res.Header.Get("ETag"))
	w := httptest.NewRecorder()
	Playground().ServeHTTP(w, r)
	if w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("the asset's own ETag is answered with %d and %d bytes", w.Code, w.Body.Len())
	}
	if got := get(t, "/playground", "gzip").Header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("Cache-Control of the page is %q", got)
	}
}

func TestPlaygroundRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		method, path string
		status       int
	}{
		"an unknown asset":      {http.MethodGet, "/playground/assets/unknown.js", http.StatusNotFound},
		"a directory":           {http.MethodGet, "/playground/assets/", http.StatusNotFound},
		"a way out":             {http.MethodGet, "/playground/assets/../../embed.go", http.StatusNotFound},
		"a file's stored name":  {http.MethodGet, "/playground/index.html.gz", http.StatusNotFound},
		"a method that changes": {http.MethodPost, "/playground", http.StatusMethodNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			Playground().ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
			if w.Code != tt.status {
				t.Errorf("answered with %d, not %d", w.Code, tt.status)
			}
		})
	}
}

var (
	pageReference  = regexp.MustCompile(`(?:src|href)="([^"]+)"`)
	assetReference = regexp.MustCompile(`(?:assets|\.)/([\w.-]+\.(?:js|css|svg|ttf))\b`)
)

func TestPlaygroundHasEveryFileThatItRefersTo(t *testing.T) {
	t.Parallel()
	references := 0
	for _, m := range pageReference.FindAllSubmatch(read(t, get(t, "/playground", "").Body), -1) {
		path := string(m[1])
		if !strings.HasPrefix(path, "/playground/assets/") {
			t.Errorf("the page refers to %s, outside its own assets", path)
		}
		if res := get(t, path, ""); res.StatusCode != http.StatusOK {
			t.Errorf("the page refers to %s: %s", path, res.Status)
		}
		references++
	}
	if references == 0 {
		t.Error("the page refers to nothing")
	}
	for _, asset := range assets(t) {
		for _, m := range assetReference.FindAllSubmatch(read(t, get(t, asset, "").Body), -1) {
			if target := "/playground/assets/" + string(m[1]); !slices.Contains(assets(t), target) {
				t.Errorf("%s refers to %s, which is not there", asset, target)
			}
		}
	}
}

func TestAcceptsGzip(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		"":                      false,
		"identity":              false,
		"gzip":                  true,
		"br, GZIP;q=0.5":        true,
		"gzip;q=0, *":           false,
		"gzip; q=0.000":         false,
		"*":                     true,
		"*;q=0":                 false,
		"deflate, x-gzip-other": false,
	} {
		if got := acceptsGzip([]string{header}); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}
