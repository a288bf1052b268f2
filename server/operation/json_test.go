package operation

import (
	"encoding/json"
	"maps"
	"reflect"
	"testing"
)

// What is walked over is what encoding/json finds.
func FuzzWalk(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` {"a" : 1 , "b":"\"}" ,"c":[{"]":{}},[]],"a":null}`, "{\"\\u00e9\\ud800\":\t-1.5e9\n}", `{"":true,"f":false}`, "{\"\xff\":\"\xff\"}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, object string) {
		var want map[string]json.RawMessage
		if json.Unmarshal([]byte(object), &want) != nil || want == nil {
			return
		}
		if got := maps.Collect(members(space([]byte(object)))); !reflect.DeepEqual(got, want) {
			t.Errorf("members of %s: got %s, want %s", object, got, want)
		}
		array := "[" + object + " , " + object + "]"
		var wantItems []json.RawMessage
		if err := json.Unmarshal([]byte(array), &wantItems); err != nil {
			t.Fatal(err)
		}
		var got []json.RawMessage
		for item := range items([]byte(array)) {
			got = append(got, item)
		}
		if !reflect.DeepEqual(got, wantItems) {
			t.Errorf("items of %s: got %s, want %s", array, got, wantItems)
		}
		var said any
		quoted, _ := json.Marshal(object)
		if _ = json.Unmarshal(quoted, &said); said != text(quoted) {
			t.Errorf("text of %s: got %q", quoted, text(quoted))
		}
	})
}
