package promises

import (
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// badURLs are what neither an endpoint nor a token URL may be. Loopback is
// allowed here, for the subscribers of the tests; all else that is private is not.
func badURLs() map[string]string {
	return map[string]string{
		"empty":                      "",
		"no URL":                     "not a url",
		"a path":                     "/hooks",
		"no host":                    "http://",
		"another scheme":             "ftp://example.com/",
		"a file":                     "file:///etc/passwd",
		"user and password":          "http://user:planted@example.com/",
		"a fragment":                 "http://example.com/#x",
		"a line break":               "http://example.com/\r\nX: y",
		"a port beyond all":          "http://example.com:70000/",
		"a private address":          "http://10.0.0.1/",
		"another private one":        "http://192.168.1.1:8080/x",
		"a third private one":        "http://172.16.0.1/",
		"the cloud's metadata":       "http://169.254.169.254/latest",
		"shared address space":       "http://100.64.0.1/",
		"all addresses":              "http://0.0.0.0/",
		"a private one as IPv6":      "http://[::ffff:10.0.0.1]/",
		"a private one through NAT":  "http://[64:ff9b::a00:1]/",
		"a unique local one":         "http://[fd00::1]/",
		"a link-local one":           "http://[fe80::1]/",
		"a zone":                     "http://[fe80::1%25eth0]/",
		"no address":                 "http://[::]/",
		"a decimal number":           "http://167772161/",
		"a hexadecimal number":       "http://0x0a000001/",
		"octal":                      "http://012.0.0.1/",
		"short":                      "http://10.1/",
		"a private one with a point": "http://10.0.0.1./",
		"too long":                   "http://example.com/" + strings.Repeat("x", 10000),
	}
}

func badSubscriptions(t *testing.T, c testkit.Client) (list []refusal) {
	good := input(t, c, "http://127.0.0.1:9/")
	one := func(name string, more testkit.Vars, code, field, says string) {
		list = append(list, refusal{name, createMutation, testkit.Vars{"input": with(good, more)}, code, field, says})
	}
	auth := func(kind string, v testkit.Vars) testkit.Vars { return testkit.Vars{"auth": testkit.Vars{kind: v}} }
	oauth2 := func(url string) testkit.Vars {
		return auth("oauth2", testkit.Vars{"clientId": "c", "clientSecret": "s", "tokenUrl": url})
	}
	for name, url := range badURLs() {
		one("endpoint: "+name, testkit.Vars{"deliveryEndpoint": url}, "BAD_USER_INPUT", "input.deliveryEndpoint", "")
		one("token URL: "+name, oauth2(url), "BAD_USER_INPUT", "input.auth.oauth2.tokenUrl", "")
	}
	one("request method of WEBSOCKET", testkit.Vars{"callbackProtocol": "WEBSOCKET", "requestMethod": "PUT"}, "BAD_USER_INPUT", "input.requestMethod", "HTTP")
	one("endpoint of another protocol than WEBSOCKET", testkit.Vars{"callbackProtocol": "WEBSOCKET"}, "BAD_USER_INPUT", "input.deliveryEndpoint", "ws://")
	one("protobuf over WEBSOCKET", testkit.Vars{"callbackProtocol": "WEBSOCKET", "payloadType": "PROTOBUF"}, "BAD_USER_INPUT", "input.payloadType", "JSON")
	one("request method of GRPC", testkit.Vars{"callbackProtocol": "GRPC", "requestMethod": "PUT"}, "BAD_USER_INPUT", "input.requestMethod", "HTTP")
	one("endpoint of another protocol", testkit.Vars{"callbackProtocol": "GRPC"}, "BAD_USER_INPUT", "input.deliveryEndpoint", "grpc://")
	one("gRPC endpoint without a port", testkit.Vars{"callbackProtocol": "GRPC", "deliveryEndpoint": "grpc://example.com"}, "BAD_USER_INPUT", "input.deliveryEndpoint", "grpc://host:port")
	one("JSON over gRPC", testkit.Vars{"callbackProtocol": "GRPC", "payloadType": "JSON"}, "BAD_USER_INPUT", "input.payloadType", "PROTOBUF")
	one("request method of SOAP", testkit.Vars{"callbackProtocol": "SOAP", "requestMethod": "PUT"}, "BAD_USER_INPUT", "input.requestMethod", "HTTP")
	one("endpoint of another protocol than SOAP", testkit.Vars{"callbackProtocol": "SOAP", "deliveryEndpoint": "ws://127.0.0.1:9/"}, "BAD_USER_INPUT", "input.deliveryEndpoint", "http://")
	one("JSON over SOAP", testkit.Vars{"callbackProtocol": "SOAP", "payloadType": "JSON"}, "BAD_USER_INPUT", "input.payloadType", "XML")
	one("unknown project", testkit.Vars{"projectId": nowhere}, "NOT_FOUND", "", "project")
	one("no auth", testkit.Vars{"auth": nil}, "BAD_USER_INPUT", "input.auth", "")
	one("empty auth", testkit.Vars{"auth": testkit.Vars{}}, "BAD_USER_INPUT", "input.auth", "exactly one")
	one("two kinds of auth", testkit.Vars{"auth": testkit.Vars{"jwt": testkit.Vars{"token": "t"}, "apiKey": testkit.Vars{"key": "planted"}}}, "BAD_USER_INPUT", "input.auth", "exactly one")
	one("auth null", testkit.Vars{"auth": testkit.Vars{"jwt": (*int)(nil)}}, "BAD_USER_INPUT", "input.auth", "exactly one")
	one("SOAP version of HTTP", testkit.Vars{"soapVersion": "V1_2"}, "BAD_USER_INPUT", "input.soapVersion", "SOAP")
	one("unknown protocol", testkit.Vars{"callbackProtocol": "PIGEON"}, "BAD_USER_INPUT", "input.callbackProtocol", "")
	one("protobuf over HTTP", testkit.Vars{"payloadType": "PROTOBUF"}, "BAD_USER_INPUT", "input.payloadType", "")
	one("no definitions", testkit.Vars{"eventDefinitionIds": []string{}}, "BAD_USER_INPUT", "input.eventDefinitionIds", "")
	one("unknown definition", testkit.Vars{"eventDefinitionIds": []string{nowhere}}, "BAD_USER_INPUT", "input.eventDefinitionIds", "")
	one("empty subscriber", testkit.Vars{"subscriberService": ""}, "BAD_USER_INPUT", "input.subscriberService", "empty")
	one("long subscriber", testkit.Vars{"subscriberService": strings.Repeat("x", 10000)}, "BAD_USER_INPUT", "input.subscriberService", "255")
	one("time-out 0", testkit.Vars{"timeoutSeconds": 0}, "BAD_USER_INPUT", "input.timeoutSeconds", "60")
	one("time-out beyond a minute", testkit.Vars{"timeoutSeconds": 61}, "BAD_USER_INPUT", "input.timeoutSeconds", "60")
	one("nothing in flight", testkit.Vars{"maxInFlight": 0}, "BAD_USER_INPUT", "input.maxInFlight", "")
	one("nothing a second", testkit.Vars{"maxPerSecond": 0}, "BAD_USER_INPUT", "input.maxPerSecond", "")
	one("wait below 1", testkit.Vars{"retryPolicy": testkit.Vars{"scheduleSeconds": []int{5, -1}}}, "BAD_USER_INPUT", "input.retryPolicy.scheduleSeconds", "")
	one("condition with a bad glob", testkit.Vars{"conditions": []any{testkit.Vars{"secretPath": "/a["}}}, "BAD_USER_INPUT", "input.conditions.0.secretPath", "")
	one("user name with a colon", auth("basic", testkit.Vars{"username": "a:b", "password": "planted"}), "BAD_USER_INPUT", "input.auth.basic.username", "colon")
	one("password with a line break", auth("basic", testkit.Vars{"username": "a", "password": "planted\r\nX: y"}), "BAD_USER_INPUT", "input.auth.basic.password", "")
	one("key in Host", auth("apiKey", testkit.Vars{"key": "planted", "headerName": "Host"}), "BAD_USER_INPUT", "input.auth.apiKey.headerName", "")
	one("key in webhook-signature", auth("apiKey", testkit.Vars{"key": "planted", "headerName": "Webhook-Signature"}), "BAD_USER_INPUT", "input.auth.apiKey.headerName", "")
	one("empty token", auth("jwt", testkit.Vars{"token": ""}), "BAD_USER_INPUT", "input.auth.jwt.token", "")

	const literal = `mutation { createEventSubscription(input: {eventDefinitionIds: ["` + nowhere + `"], subscriberService: "x", deliveryEndpoint: "http://127.0.0.1:9/"%s}) { signingSecret } }`
	for name, text := range map[string]string{
		"no auth in a literal": "", "empty auth in a literal": ", auth: {}",
		"two kinds of auth in a literal": `, auth: {jwt: {token: "t"}, apiKey: {key: "k"}}`,
	} {
		list = append(list, refusal{name, strings.Replace(literal, "%s", text, 1), nil, "GRAPHQL_VALIDATION_FAILED", "", "uth"})
	}
	for _, field := range []string{"updateEventSubscription(input: {}, ", "pauseEventSubscription(", "resumeEventSubscription(", "testEventSubscription(", "retryDelivery(", "discardDelivery("} {
		list = append(list, refusal{field + "of nothing", `mutation { ` + field + `id: "` + nowhere + `") { id } }`, nil, "NOT_FOUND", "", ""})
	}
	return append(list,
		refusal{"deletion of no subscription", `mutation { deleteEventSubscription(id: "` + nowhere + `") }`, nil, "NOT_FOUND", "", ""},
		refusal{"replay of no subscription", `mutation { replayDeliveries(input: {eventSubscriptionId: "` + nowhere + `", since: "2026-01-01T00:00:00Z"}) { scheduled } }`, nil, "NOT_FOUND", "", ""},
		refusal{"rotation with a grace below 0", `mutation { rotateSigningSecret(id: "` + nowhere + `", graceSeconds: -1) { signingSecret } }`, nil, "BAD_USER_INPUT", "graceSeconds", ""},
		refusal{
			"preview of a private address", `mutation($input: CreateEventSubscriptionInput!) { previewEventSubscription(input: $input) { matched } }`,
			testkit.Vars{"input": with(good, testkit.Vars{"deliveryEndpoint": "http://10.0.0.1/"})},
			"BAD_USER_INPUT", "input.deliveryEndpoint", "",
		},
	)
}
