package projectevents

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hark-events/hark"
)

// A client that reads lines with a buffer of 64 KiB understands all frames.
func TestNoLineIsTooLong(t *testing.T) {
	t.Parallel()
	long, item := strings.Repeat(`x\"\\`, 9<<10), strings.Repeat("<", 30<<10)
	var object strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&object, `,"key%d":[%d,"a:b,[{"]`, i, i)
	}
	for name, tt := range map[string]struct {
		payload string
		frames  int
		omitted bool
	}{
		"short":                      {`{"a":1}`, 1, false},
		"a long array":               {`["` + item + `","` + item + `","` + item + `"]`, 2, false},
		"a long object":              {`{` + object.String()[1:] + `}`, 1, false},
		"an item that is too long":   {`[1,{` + object.String()[1:] + `},"` + item + `","` + item + `"]`, 3, false},
		"a text that is too long":    {`{"a":"` + long + long + `"}`, 1, true},
		"one such item among others": {`[1,"` + long + long + `"]`, 2, true},
		"a number that is too long":  {`{"a":` + strings.Repeat("1", 70<<10) + `}`, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &hark.Event{
				ID: hark.NewID(), ProjectID: hark.NewID(), Sequence: 7, Payload: hark.JSON(tt.payload),
				Kind: hark.Kind{SourceService: "secret-manager", ResourceType: "secret", OperationType: "update"},
			}
			var payloads []json.RawMessage
			var data []string
			ids, omitted := 0, false
			lines := bufio.NewScanner(bytes.NewReader(frames(e)))
			for lines.Scan() {
				field, value, _ := strings.Cut(lines.Text(), ": ")
				switch field {
				case "id":
					ids++
				case "data":
					data = append(data, value)
				case "":
					var m struct {
						Data struct {
							Payload json.RawMessage
							Omitted *struct {
								EventID hark.ID
								Bytes   int
							}
						}
					}
					if err := json.Unmarshal([]byte(strings.Join(data, "\n")), &m); err != nil {
						t.Fatal(err)
					}
					if o := m.Data.Omitted; o != nil {
						omitted = o.EventID == e.ID && o.Bytes == len(tt.payload)
					}
					payloads, data = append(payloads, m.Data.Payload), nil
				}
			}
			if err := lines.Err(); err != nil {
				t.Fatal(err)
			}
			if len(payloads) != tt.frames || ids != 1 || omitted != tt.omitted {
				t.Fatalf("%d frames, %d ids, omitted: %v", len(payloads), ids, omitted)
			}
			if !tt.omitted && joined(t, payloads) != compact(t, tt.payload) {
				t.Error("the payload is another one")
			}
		})
	}
}

// joined puts the parts of an array together again.
func joined(t *testing.T, parts []json.RawMessage) string {
	if len(parts) == 1 {
		return compact(t, string(parts[0]))
	}
	var all []string
	for _, p := range parts {
		c := compact(t, string(p))
		all = append(all, c[1:len(c)-1])
	}
	return "[" + strings.Join(all, ",") + "]"
}

func compact(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(s)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
