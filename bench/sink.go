package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
)

// A sink answers every POST with 200 at the least cost, and a GET with the
// number of POSTs so far: the limit of a server, and the subscriber of webhooks.
type sink struct{ posts atomic.Int64 }

func (s *sink) serve(c net.Conn) error {
	r := bufio.NewReaderSize(c, 16<<10)
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		get := bytes.HasPrefix(line, []byte("GET "))
		size := 0
		for len(line) > 2 {
			if line, err = r.ReadSlice('\n'); err != nil {
				return err
			}
			if name, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(name, []byte("Content-Length")) {
				if size, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
					return err
				}
			}
		}
		if _, err := r.Discard(size); err != nil {
			return err
		}
		answer := "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
		if get {
			count := strconv.FormatInt(s.posts.Load(), 10)
			answer = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(count), count)
		} else {
			s.posts.Add(1)
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return err
		}
	}
}

// posts asks a sink how many POSTs it got.
func (c *child) posts(ctx context.Context) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.addr, http.NoBody)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }() // it was read
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(text), 10, 64)
}
