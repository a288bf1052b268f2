package websocket

import "testing"

func TestPongs(t *testing.T) {
	t.Parallel()
	const (
		pong   = "\x8a\x80mask"
		answer = "\x8a\x83maskabc"
		text   = "\x81\x81maska"
	)
	for b, want := range map[string]int{
		"":                      0,
		pong:                    len(pong),
		pong + answer:           len(pong + answer),
		answer + text + pong:    len(answer),
		text:                    0,
		answer[:len(answer)-1]:  0, // not whole
		pong + answer[:1]:       len(pong),
		"\x0a\x80mask":          0, // in fragments: the library refuses it
		"\xca\x80mask":          0, // with a reserved bit
		"\x8a\x00":              0, // not masked
		"\x8a\xfe\x00\x01maska": 0, // too long for a control frame
	} {
		if got := pongs([]byte(b)); got != want {
			t.Errorf("%q: %d, want %d", b, got, want)
		}
	}
}
