package server_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	final  = 0x80
	text   = 0x1
	closes = 0x8
	pings  = 0x9
	pongs  = 0xA
)

// aFrame is a client's frame, masked with zeros.
func aFrame(first byte, payload string) string {
	b := []byte{first, 0x80 | byte(len(payload))}
	if len(payload) > 125 {
		b = binary.BigEndian.AppendUint16([]byte{first, 0x80 | 126}, uint16(len(payload)))
	}
	return string(b) + "\x00\x00\x00\x00" + payload
}

// heardFrame is a server's frame as text: its opcode, and its payload.
func heardFrame(r *bufio.Reader) (string, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", err
	}
	size := int(head[1])
	if size == 126 {
		var long [2]byte
		if _, err := io.ReadFull(r, long[:]); err != nil {
			return "", err
		}
		size = int(binary.BigEndian.Uint16(long[:]))
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(r, payload); err != nil {
		return "", err
	}
	if head[0]&0xf == closes && size >= 2 {
		return fmt.Sprintf("close %d %s", binary.BigEndian.Uint16(payload), payload[2:]), nil
	}
	return fmt.Sprintf("%x %s", head[0]&0xf, payload), nil
}

// What clients may send by RFC 6455, and what they may not, however it comes
// in: with the handshake, all at once, or byte by byte.
func TestFrames(t *testing.T) {
	t.Parallel()
	f := start(t)
	init := aFrame(final|text, initMessage)
	query := sub("1", "{__typename}")
	answer := []string{"^1 .*connection_ack", `^1 .*"id":"1","type":"next"`, `^1 .*"id":"1","type":"complete"`}
	for name, tt := range map[string]struct {
		say  string
		want []string
	}{
		"whole messages": {init + aFrame(final|text, query), answer},
		"fragments": {
			init + aFrame(text, query[:5]) + aFrame(0, query[5:9]) + aFrame(final, query[9:]), answer,
		},
		"a ping between fragments": {
			init + aFrame(text, query[:5]) + aFrame(final|pings, "x") + aFrame(final, query[5:]),
			[]string{answer[0], "^a x$", answer[1], answer[2]},
		},
		"pongs that nobody asked for": {
			aFrame(final|pongs, "") + init + aFrame(final|pongs, "y") + aFrame(text, query[:5]) + aFrame(final|pongs, strings.Repeat("z", 125)) + aFrame(final, query[5:]) + aFrame(final|pongs, ""),
			answer,
		},
		"an empty fragment":       {init + aFrame(text, "") + aFrame(final, query), answer},
		"a close with words":      {init + aFrame(final|closes, "\x03\xe8tschüß"), []string{answer[0], "^close 1000 tschüß$"}},
		"a close without a code":  {init + aFrame(final|closes, ""), []string{answer[0], "^8 $"}},
		"a fragmented ping":       {init + aFrame(pings, "x"), []string{answer[0], "^close 1002"}},
		"a long ping":             {init + aFrame(final|pings, strings.Repeat("x", 126)), []string{answer[0], "^close 1002"}},
		"an unknown opcode":       {init + aFrame(final|3, "x"), []string{answer[0], "^close 1002"}},
		"reserved bits":           {init + aFrame(final|0x40|text, query), []string{answer[0], "^close 1002"}},
		"a fragment of nothing":   {init + aFrame(final, "x"), []string{answer[0], "^close 1002"}},
		"a text within fragments": {init + aFrame(text, "x") + aFrame(final|text, query), []string{answer[0], "^close 1002"}},
		"no UTF-8":                {init + aFrame(final|text, "\xff"), []string{answer[0], "^close 4400"}},
		"an empty message":        {init + aFrame(final|text, ""), []string{answer[0], "^close 4400"}},
		"a close of one byte":     {init + aFrame(final|closes, "x"), []string{answer[0], "^close 1002"}},
	} {
		for _, way := range []string{"with the handshake", "at once", "byte by byte"} {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				c, err := net.Dial("tcp", strings.TrimPrefix(f.URL, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(20 * time.Second)) // else it fails by itself
				handshake := "GET /graphql HTTP/1.1\r\nHost: hark\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
					"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
				step := len(handshake + tt.say)
				switch way {
				case "at once":
					step = len(handshake)
				case "byte by byte":
					step = 1
				}
				go func() {
					for all := handshake + tt.say; all != ""; {
						n := min(step, len(all))
						if _, err := io.WriteString(c, all[:n]); err != nil {
							return // it was closed
						}
						all = all[n:]
					}
				}()
				r := bufio.NewReader(c)
				if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
					t.Fatal(resp, err)
				}
				for _, want := range tt.want {
					if got, err := heardFrame(r); err != nil || !regexp.MustCompile(want).MatchString(got) {
						t.Fatalf("got %q, %v; want %s", got, err, want)
					}
				}
			})
		}
	}
}
