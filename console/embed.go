// Package console holds the pages that hark serves to a browser, built and compressed.
package console

import (
	"bytes"
	"compress/gzip"
	"embed"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// Every file is stored gzipped, under its name with ".gz" at the end.
//
//go:embed all:dist
var dist embed.FS

// Monaco and GraphiQL style elements inline; scripts and workers come from here alone.
const contentSecurityPolicy = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; style-src 'self' 'unsafe-inline'; " +
	"worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Playground serves GraphiQL at /playground and its files below /playground/assets/, from memory and to anybody:
// the page holds nothing secret and asks its user for an access token.
// Assets, which are named by their content, may be cached for a year; the page itself is asked for anew each time.
func Playground() http.Handler {
	return http.HandlerFunc(servePlayground)
}

func servePlayground(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}

	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "playground" || name == "playground/" {
		name = "playground/index.html"
	}
	body, err := dist.ReadFile("dist/" + name + ".gz")
	if err != nil {
		http.NotFound(w, r)
		return
	}

	dir, tag := path.Split(name)
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		tag += ".gz" // another encoding is another representation
	} else if body, err = unzip(body); err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}

	h.Set("Content-Type", contentType(name))
	h.Set("Vary", "Accept-Encoding")
	if dir == "playground/assets/" {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("ETag", strconv.Quote(tag))
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(body))
}

func unzip(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// contentType does not ask package mime, whose answers differ with the system's tables.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".ttf":
		return "font/ttf"
	case ".md":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// acceptsGzip reads Accept-Encoding as RFC 9110, 12.5.3 has it: gzip counts unless its weight is 0, a wildcard stands in for it.
func acceptsGzip(headers []string) bool {
	wildcard := false
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		coding, params, _ := strings.Cut(part, ";")
		weight := 1.0
		if _, q, ok := strings.Cut(params, "="); ok {
			weight, _ = strconv.ParseFloat(strings.TrimSpace(q), 64)
		}
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip":
			return weight > 0
		case "*":
			wildcard = weight > 0
		}
	}
	return wildcard
}
