package subscriptions_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
	"github.com/hark-events/hark/subscriptions"
)

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t))
	n.authority.hidden = hark.NewID()
	type input = subscriptions.CreateEventSubscriptionInput
	auth := func(a subscriptions.SubscriptionAuthInput) func(*input) { return func(in *input) { in.Auth = &a } }
	basic := func(user, password string) func(*input) {
		return auth(subscriptions.SubscriptionAuthInput{Basic: &subscriptions.BasicAuthInput{Username: user, Password: hark.Secret(password)}})
	}
	key := func(header, key string) func(*input) {
		return auth(subscriptions.SubscriptionAuthInput{APIKey: &subscriptions.APIKeyAuthInput{HeaderName: header, Key: hark.Secret(key)}})
	}
	oauth := func(url string) func(*input) {
		return auth(subscriptions.SubscriptionAuthInput{Oauth2: &subscriptions.OAuth2AuthInput{ClientID: "c", ClientSecret: "s", TokenURL: url}})
	}
	protocol := func(p hark.CallbackProtocol, endpoint string) func(*input) {
		return func(in *input) { in.CallbackProtocol, in.DeliveryEndpoint = p, endpoint }
	}
	bad := hark.BadUserInput
	for name, tt := range map[string]struct {
		change func(*input)
		code   hark.Code
		field  string
	}{
		"no definition":            {func(in *input) { in.EventDefinitionIds = nil }, bad, "input.eventDefinitionIds"},
		"unknown definition":       {func(in *input) { in.EventDefinitionIds = append(in.EventDefinitionIds, hark.NewID()) }, bad, "input.eventDefinitionIds"},
		"a definition twice":       {func(in *input) { in.EventDefinitionIds = append(in.EventDefinitionIds, in.EventDefinitionIds[0]) }, bad, "input.eventDefinitionIds"},
		"101 definitions":          {func(in *input) { in.EventDefinitionIds = make([]hark.ID, 101) }, bad, "input.eventDefinitionIds"},
		"blank subscriber":         {func(in *input) { in.SubscriberService = " " }, bad, "input.subscriberService"},
		"long subscriber":          {func(in *input) { in.SubscriberService = strings.Repeat("ä", 256) }, bad, "input.subscriberService"},
		"relative endpoint":        {protocol(hark.HTTP, "/hooks"), bad, "input.deliveryEndpoint"},
		"long endpoint":            {protocol(hark.HTTP, "http://127.0.0.1/"+strings.Repeat("x", 2048)), bad, "input.deliveryEndpoint"},
		"endpoint with password":   {protocol(hark.HTTP, "http://u:p@127.0.0.1/"), bad, "input.deliveryEndpoint"},
		"private endpoint":         {protocol(hark.HTTP, "http://10.0.0.1/"), bad, "input.deliveryEndpoint"},
		"gRPC over http":           {protocol(hark.GRPC, "http://127.0.0.1/"), bad, "input.deliveryEndpoint"},
		"HTTP over grpc":           {protocol(hark.HTTP, "grpc://127.0.0.1:1"), bad, "input.deliveryEndpoint"},
		"SOAP over ws":             {protocol(hark.SOAP, "ws://127.0.0.1/"), bad, "input.deliveryEndpoint"},
		"WebSocket over https":     {protocol(hark.WebSocket, "https://127.0.0.1/"), bad, "input.deliveryEndpoint"},
		"unknown protocol":         {protocol("PIGEON", "http://127.0.0.1/"), bad, "input.callbackProtocol"},
		"method over SOAP":         {func(in *input) { in.CallbackProtocol, in.RequestMethod = hark.SOAP, ref(hark.Put) }, bad, "input.requestMethod"},
		"SOAP version over HTTP":   {func(in *input) { in.SoapVersion = ref(hark.SOAP12) }, bad, "input.soapVersion"},
		"protobuf over HTTP":       {func(in *input) { in.PayloadType = ref(hark.PayloadProtobuf) }, bad, "input.payloadType"},
		"JSON over SOAP":           {func(in *input) { in.CallbackProtocol, in.PayloadType = hark.SOAP, ref(hark.PayloadJSON) }, bad, "input.payloadType"},
		"no credentials":           {func(in *input) { in.Auth = nil }, bad, "input.auth"},
		"no kind of credentials":   {auth(subscriptions.SubscriptionAuthInput{}), bad, "input.auth"},
		"two kinds of credentials": {func(in *input) { in.Auth.Jwt = &subscriptions.JWTAuthInput{Token: "t"} }, bad, "input.auth"},
		"user name with a colon":   {basic("a:b", "p"), bad, "input.auth.basic.username"},
		"line break in a password": {basic("u", "p\nq"), bad, "input.auth.basic.password"},
		"line break in a token":    {auth(subscriptions.SubscriptionAuthInput{Jwt: &subscriptions.JWTAuthInput{Token: "a\r\nb"}}), bad, "input.auth.jwt.token"},
		"line break in a key":      {key("X-API-KEY", "a\nb"), bad, "input.auth.apiKey.key"},
		"key as Authorization":     {key("Authorization", "k"), bad, "input.auth.apiKey.headerName"},
		"key as Content-Type":      {key("content-type", "k"), bad, "input.auth.apiKey.headerName"},
		"key as webhook-id":        {key("Webhook-Id", "k"), bad, "input.auth.apiKey.headerName"},
		"key as no token":          {key("a b", "k"), bad, "input.auth.apiKey.headerName"},
		"private token URL":        {oauth("http://10.0.0.1/token"), bad, "input.auth.oauth2.tokenUrl"},
		"token URL by ftp":         {oauth("ftp://127.0.0.1/token"), bad, "input.auth.oauth2.tokenUrl"},
		"21 waits": {func(in *input) {
			in.RetryPolicy = &subscriptions.RetryPolicyInput{ScheduleSeconds: slices.Repeat([]int{1}, 21)}
		}, bad, "input.retryPolicy.scheduleSeconds"},
		"wait of 0 s":                {func(in *input) { in.RetryPolicy = &subscriptions.RetryPolicyInput{ScheduleSeconds: []int{0}} }, bad, "input.retryPolicy.scheduleSeconds"},
		"wait of over a week":        {func(in *input) { in.RetryPolicy = &subscriptions.RetryPolicyInput{ScheduleSeconds: []int{604801}} }, bad, "input.retryPolicy.scheduleSeconds"},
		"time-out of 0":              {func(in *input) { in.TimeoutSeconds = ref(0) }, bad, "input.timeoutSeconds"},
		"time-out of 61":             {func(in *input) { in.TimeoutSeconds = ref(61) }, bad, "input.timeoutSeconds"},
		"0 per second":               {func(in *input) { in.MaxPerSecond = ref(0) }, bad, "input.maxPerSecond"},
		"10,001 per second":          {func(in *input) { in.MaxPerSecond = ref(10_001) }, bad, "input.maxPerSecond"},
		"0 in flight":                {func(in *input) { in.MaxInFlight = ref(0) }, bad, "input.maxInFlight"},
		"1,001 in flight":            {func(in *input) { in.MaxInFlight = ref(1001) }, bad, "input.maxInFlight"},
		"101 conditions":             {func(in *input) { in.Conditions = slices.Repeat([]*hark.Conditions{{}}, 101) }, bad, "input.conditions"},
		"broken glob":                {func(in *input) { in.Conditions = []*hark.Conditions{{}, {SecretPath: ref("/{a")}} }, bad, "input.conditions.1.secretPath"},
		"long environment":           {func(in *input) { in.Conditions = []*hark.Conditions{{EnvironmentSlug: ref(strings.Repeat("x", 256))}} }, bad, "input.conditions.0.environmentSlug"},
		"project out of sight":       {func(in *input) { in.ProjectID = &n.authority.hidden }, hark.NotFound, ""},
		"project that there is none": {func(in *input) { in.ProjectID = ref(hark.NewID()) }, hark.NotFound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := n.input(t)
			tt.change(&in)
			_, _, err := n.Create(as(t), in)
			want(t, "create", err, tt.code, tt.field)
			if err != nil && strings.Contains(err.Error(), password) {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
	_, _, err := n.Create(t.Context(), n.input(t))
	want(t, "nobody", err, hark.Unauthenticated, "")
	n.authority.denied = hark.ManageSubscriptions
	_, _, err = n.Create(as(t), n.input(t))
	want(t, "not allowed", err, hark.Forbidden, "")
	if count, err := n.store.Ent().EventSubscription.Query().Count(t.Context()); err != nil || count != 0 {
		t.Errorf("%d refused subscriptions are stored, %v", count, err)
	}
	if len(n.authority.audited) != 0 {
		t.Errorf("refused and audited: %v", n.authority.audited)
	}
}

func TestCreateFillsIn(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st)
		row, secret, err := n.Create(as(t), n.input(t))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(secret.Reveal(), "whsec_") {
			t.Error("the signing secret is no Standard Webhooks secret")
		}
		got := fmt.Sprintln(row.ProjectID == store.DefaultProjectID(), *row.RequestMethod, row.SoapVersion, row.PayloadType, row.Conditions, row.ScheduleSeconds,
			row.TimeoutSeconds, row.MaxPerSecond, row.MaxInFlight, row.Ordered, row.HoldWhilePaused, subscriptions.Health(row))
		if want := "true POST <nil> JSON [] [5 300 1800 7200 18000 36000 50400 72000 86400] 15 <nil> 16 false true HEALTHY\n"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if row.CreatedAt != row.UpdatedAt || len(row.Edges.EventDefinitions) != 1 || row.Edges.Project == nil {
			t.Errorf("%+v", row)
		}
		n.subscribe(t, func(in *subscriptions.CreateEventSubscriptionInput) { in.SubscriberService = strings.Repeat("ä", 255) }) // characters, not bytes
		for p, want := range map[hark.CallbackProtocol]string{hark.SOAP: "XML V1_1", hark.GRPC: "PROTOBUF <nil>", hark.WebSocket: "JSON <nil>"} {
			row := n.subscribe(t, func(in *subscriptions.CreateEventSubscriptionInput) {
				in.CallbackProtocol = p
				in.DeliveryEndpoint = map[hark.CallbackProtocol]string{hark.SOAP: "https", hark.GRPC: "grpcs", hark.WebSocket: "wss"}[p] + "://127.0.0.1:1"
			})
			got := string(row.PayloadType) + " <nil>"
			if row.SoapVersion != nil {
				got = string(row.PayloadType) + " " + string(*row.SoapVersion)
			}
			if got != want || row.RequestMethod != nil {
				t.Errorf("%s: %s, want %s, method %v", p, got, want, row.RequestMethod)
			}
		}

		// What is sealed opens, and shows nowhere else.
		sub, err := st.Subscription(t.Context(), row.ID)
		if err != nil || sub.Credentials.Password.Reveal() != password || sub.SigningSecrets[0] != secret {
			t.Error("the credentials don't open", err)
		}
		shown, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{string(shown), row.String(), fmt.Sprintf("%+v", row), string(row.Credentials), string(row.SigningSecret)} {
			if strings.Contains(s, password) || strings.Contains(s, secret.Reveal()) {
				t.Errorf("a secret shows in %s", s)
			}
		}
	})
}
