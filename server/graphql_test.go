package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hark-events/hark/server"
)

// do sends one request and gives status, header and body.
func (f *fixture) do(t *testing.T, method, path, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, f.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+alice)
	for i := 0; i < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i+1] == "" {
			r.Header.Del(header[i])
		}
	}
	resp, err := f.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

func (f *fixture) post(t *testing.T, query string, header ...string) (int, http.Header, string) {
	t.Helper()
	b, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	return f.do(t, http.MethodPost, "/graphql", string(b), header...)
}

const response = "application/graphql-response+json"

func TestStatusAndCode(t *testing.T) {
	t.Parallel()
	f := start(t)
	deep := "{" + strings.Repeat("a{", 15) + "b" + strings.Repeat("}", 16)
	doubling := "query{...f0}"
	for i := range 40 {
		doubling += fmt.Sprintf(" fragment f%d on Query{...f%d ...f%d}", i, i+1, i+1)
	}
	doubling += " fragment f40 on Query{viewer{permissions}}"
	for name, tt := range map[string]struct {
		query  string
		header []string
		status int
		code   string
	}{
		"a query":                         {"{viewer{permissions}}", nil, 200, ""},
		"not parseable":                   {"{", nil, 400, "GRAPHQL_PARSE_FAILED"},
		"not parseable, application/json": {"{", []string{"Accept", "application/json"}, 200, "GRAPHQL_PARSE_FAILED"},
		"unknown field":                   {"{viewr}", nil, 400, "GRAPHQL_VALIDATION_FAILED"},
		"too many tokens":                 {"{" + strings.Repeat("viewer{permissions}", 600) + "}", nil, 400, "GRAPHQL_PARSE_FAILED"},
		"too deep":                        {deep, nil, 400, "COMPLEXITY_LIMIT_EXCEEDED"},
		"fragments that double":           {doubling, nil, 400, "COMPLEXITY_LIMIT_EXCEEDED"},
		"too costly":                      {"{events(filter:{},first:500){nodes{deliveries(first:50){nodes{id}}}}}", nil, 400, "COMPLEXITY_LIMIT_EXCEEDED"},
		"int too large":                   {"{projects(first:99999999999999999999){totalCount}}", nil, 400, "GRAPHQL_VALIDATION_FAILED"},
		"a key twice in a JSON literal":   {`mutation{publishEvents(input:{sourceService:"a",resourceType:"b",operationType:"c",payload:{a:1,a:2}}){duplicates}}`, nil, 400, "GRAPHQL_VALIDATION_FAILED"},
		"no token":                        {"{viewer{permissions}}", []string{"Authorization", ""}, 401, "UNAUTHENTICATED"},
		"no token, only __typename":       {"{__typename}", []string{"Authorization", ""}, 200, ""},
		"no token, a fragment hides it":   {"{__typename ...f} fragment f on Query{viewer{permissions}}", []string{"Authorization", ""}, 401, "UNAUTHENTICATED"},
		"bad token before parsing":        {"{", []string{"Authorization", "Bearer nobody"}, 401, "UNAUTHENTICATED"},
		"another scheme":                  {"{viewer{permissions}}", []string{"Authorization", "Basic YTpi"}, 401, "UNAUTHENTICATED"},
		"not found":                       {`{event(id:"01890a5d-ac96-774b-bcce-b302099a8057"){id}}`, nil, 200, "NOT_FOUND"},
		"bad scalar":                      {`{event(id:"x"){id}}`, nil, 400, "BAD_USER_INPUT"},
		"guarded":                         {`mutation{publishEvents(input:[]){duplicates}}`, []string{"Authorization", "Bearer " + bob}, 200, "FORBIDDEN"},
		"a panic":                         {"{projects{totalCount}}", nil, 200, "INTERNAL"},
		"a subscription as JSON":          {"subscription{projectEvents(filter:{}){id}}", nil, 406, "BAD_USER_INPUT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, header, body := f.post(t, tt.query, append([]string{"Accept", response}, tt.header...)...)
			var out struct {
				Errors []struct {
					Message    string
					Extensions struct{ Code, Field, RequestID string }
				}
			}
			if err := json.Unmarshal([]byte(body), &out); err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			code := ""
			if len(out.Errors) > 0 {
				code = out.Errors[0].Extensions.Code
			}
			if status != tt.status || code != tt.code {
				t.Errorf("%d %s: %s", status, code, body)
			}
			if (status == 401) != (header.Get("WWW-Authenticate") != "") {
				t.Errorf("WWW-Authenticate: %q", header.Get("WWW-Authenticate"))
			}
			if header.Get("X-Request-Id") == "" {
				t.Error("no request id")
			}
		})
	}
}

func TestInternalErrorsSayNothing(t *testing.T) {
	t.Parallel()
	f := start(t)
	_, header, body := f.post(t, `{event(id:"`+f.log.project.String()+`"){id}}`)
	if strings.Contains(body, "EOF") || !strings.Contains(body, header.Get("X-Request-Id")) || !strings.Contains(body, `"path":["event"]`) {
		t.Error(body)
	}
	eventually(t, func() bool { return strings.Contains(f.lines.String(), "unexpected EOF") })
}

func TestFieldNamesTheArgument(t *testing.T) {
	t.Parallel()
	f := start(t)
	_, _, body := f.post(t, `mutation{publishEvents(input:[{sourceService:"a",resourceType:"b",operationType:"c",payload:1,projectId:"x"}]){duplicates}}`)
	if !strings.Contains(body, `"field":"input.0.projectId"`) || !strings.Contains(body, "BAD_USER_INPUT") {
		t.Error(body)
	}
	_, _, body = f.do(t, http.MethodPost, "/graphql", `{"query":"mutation($i:[PublishEventInput!]!){publishEvents(input:$i){duplicates}}","variables":{"i":[{"sourceService":1}]}}`)
	if !strings.Contains(body, `"field":"input.0.`) || !strings.Contains(body, "BAD_USER_INPUT") {
		t.Error(body)
	}
}

func TestOneOfInVariables(t *testing.T) {
	t.Parallel()
	f := start(t)
	_, _, body := f.do(t, http.MethodPost, "/graphql", `{"query":"mutation($a:SubscriptionAuthInput!){previewEventSubscription(input:{eventDefinitionIds:[],subscriberService:\"a\",deliveryEndpoint:\"b\",auth:$a}){examined}}",
		"variables":{"a":{"jwt":{"token":"t"},"basic":{"username":"u","password":"p"}}}}`)
	if !strings.Contains(body, `"field":"input.auth"`) || strings.Contains(body, `"p"`) {
		t.Error(body)
	}
}

func TestPayloadBytes(t *testing.T) {
	t.Parallel()
	f := start(t)
	digits := strings.Repeat("1234567890", 40)
	const mutation = `mutation($i:[PublishEventInput!]!){publishEvents(input:$i){events{payload}}}`
	const one = `mutation($p:JSON!){publishEvents(input:{sourceService:"a",resourceType:"b",operationType:"c",payload:$p}){events{payload}}}`
	for name, payload := range map[string]string{
		"digits":        digits,
		"order of keys": `{"z":1,"a":2,"m":{"y":1.50,"b":1e400}}`,
		"angle bracket": `"<b>&\u2028 \u003c"`,
		"white space":   "{ \"a\" :\n\t[ 1 , 2 ]\r\n}",
		"a list":        `[[1],[2,[3]],"x"]`,
		"text":          `"text"`,
		"number":        `-0.0`,
		"false":         `false`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, body := range []string{
				fmt.Sprintf(`{"variables":{"i":[{"sourceService":"a","resourceType":"b","operationType":"c","payload": %s }]},"query":%q}`, payload, mutation),
				fmt.Sprintf(`{"variables":{"p":%s},"query":%q}`, payload, one),
			} {
				_, _, out := f.do(t, http.MethodPost, "/graphql", body)
				if want := `{"data":{"publishEvents":{"events":[{"payload":` + payload + `}]}}}`; out != want {
					t.Errorf("\n got %s\nwant %s", out, want)
				}
			}
		})
	}
	// A fragment of two operations, from the cache the second time; one literal holds a variable.
	const shared = `{"query":"mutation A{...f} mutation B{...f} fragment f on Mutation{publishEvents(input:{sourceService:\"a\",resourceType:\"b\",operationType:\"c\",payload:{b:1.0,a:\"x\"}}){events{payload}}}","operationName":"B"}`
	for range 2 {
		if _, _, out := f.do(t, http.MethodPost, "/graphql", shared); !strings.Contains(out, `"payload":{"b":1.0,"a":"x"}`) {
			t.Error(out)
		}
	}
	const inside = `{"query":"mutation($v:JSON){publishEvents(input:{sourceService:\"a\",resourceType:\"b\",operationType:\"c\",payload:{a:$v,b:%s}}){events{payload}}}","variables":{"v":[1]}}`
	for number, want := range map[string]string{"2": `"payload":{"a":[1],"b":2}`, digits: "GRAPHQL_VALIDATION_FAILED"} {
		if _, _, out := f.do(t, http.MethodPost, "/graphql", fmt.Sprintf(inside, number)); !strings.Contains(out, want) {
			t.Error(out)
		}
	}
	_, _, out := f.post(t, `mutation{publishEvents(input:[{sourceService:"a",resourceType:"b",operationType:"c",payload:{z:`+digits+`,a:[1.50,true,null,"<"],b:{}}}]){events{payload}}}`)
	if want := `{"z":` + digits + `,"a":[1.50,true,null,"<"],"b":{}}`; !strings.Contains(out, want) {
		t.Error(out)
	}
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	f := start(t)
	for name, tt := range map[string]struct {
		body, contentType string
		status            int
	}{
		"no JSON":       {`secret-in-body`, "application/json", 400},
		"invalid UTF-8": {"{\"query\":\"{viewer\xff}\"}", "application/json", 400},
		"a batch":       {`[{"query":"{__typename}"}]`, "application/json", 400},
		"no query":      {`{}`, "application/json", 400},
		"query is 7":    {`{"query":7}`, "application/json", 400},
		"text":          {`{"query":"{__typename}"}`, "text/plain", 415},
		"latin-1":       {`{"query":"{__typename}"}`, "application/json; charset=iso-8859-1", 415},
		"utf-8":         {`{"query":"{__typename}"}`, "application/json; charset=utf-8", 200},
		"too large":     {`{"query":"` + strings.Repeat(" ", 1<<20) + `{__typename}"}`, "application/json", 413},
		"variables":     {`{"query":"{__typename}","variables":[]}`, "application/json", 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, _, body := f.do(t, http.MethodPost, "/graphql", tt.body, "Content-Type", tt.contentType)
			if status != tt.status || strings.Contains(body, "secret") || status != 200 && !strings.Contains(body, `"code"`) {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	f := start(t)
	for query, want := range map[string]int{
		"{__typename}": 200,
		"mutation{publishEvents(input:[]){__typename}}": 405,
		"subscription{projectEvents(filter:{}){id}}":    405,
	} {
		if status, _, body := f.do(t, http.MethodGet, "/graphql?query="+url.QueryEscape(query), ""); status != want {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
	if strings.Contains(f.lines.String(), "__typename") {
		t.Error("the log shows a query string")
	}
}

func TestNegotiation(t *testing.T) {
	t.Parallel()
	f := start(t)
	const urql = "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
	for accept, want := range map[string]string{
		"":    "application/json; charset=utf-8",
		"*/*": "application/json; charset=utf-8",
		urql:  "application/graphql-response+json; charset=utf-8",
		"application/json;q=0.5, application/graphql-response+json": "application/graphql-response+json; charset=utf-8",
		"text/event-stream":                        "text/event-stream",
		"text/event-stream, application/json;q=.9": "text/event-stream",
		"text/event-stream;q=0, */*":               "application/json; charset=utf-8",
		"application/json;q=0, */*":                "application/graphql-response+json; charset=utf-8",
		"application/json;q=0.1, application/*":    "application/graphql-response+json; charset=utf-8",
		"text/event-stream;q=0.9, multipart/mixed;subscriptionSpec=1.0, application/json;q=0.8": "application/json; charset=utf-8",
		"image/png": "application/json; charset=utf-8",
	} {
		status, header, body := f.post(t, "{__typename}", "Accept", accept)
		if got := header.Get("Content-Type"); got != want || (status == 406) != (accept == "image/png") {
			t.Errorf("%s: %d %s %s", accept, status, got, body)
		}
	}
}

func TestPersistedQueries(t *testing.T) {
	t.Parallel()
	f := start(t)
	const ext = `"extensions":{"persistedQuery":{"version":1,"sha256Hash":"ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38"}}`
	for _, tt := range []struct{ body, want string }{
		{`{` + ext + `}`, "PERSISTED_QUERY_NOT_FOUND"},
		{`{"query":"{ __typename }",` + ext + `}`, "hash"},
		{`{"query":"{__typename}",` + ext + `}`, `"Query"`},
		{`{` + ext + `}`, `"Query"`},
	} {
		if _, _, body := f.do(t, http.MethodPost, "/graphql", tt.body); !strings.Contains(body, tt.want) {
			t.Errorf("%s: %s", tt.body, body)
		}
	}
}

func TestIntrospectionSwitchedOff(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *server.Config) { c.Introspection = false })
	for token, want := range map[string]string{"": "UNAUTHENTICATED", "Bearer " + bob: "FORBIDDEN", "Bearer " + alice: "queryType"} {
		if _, _, body := f.post(t, "{__schema{queryType{name}}}", "Authorization", token); !strings.Contains(body, want) {
			t.Errorf("%q: %s", token, body)
		}
	}
	if status, _, body := f.post(t, "{", "Authorization", ""); status != 401 {
		t.Error(body)
	}
}
