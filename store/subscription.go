package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/ent/eventsubscription"
)

// Subscription loads a subscription as its driver needs it, with its
// credentials opened; NOT_FOUND when there is none.
func (s *Store) Subscription(ctx context.Context, id hark.ID) (*hark.Subscription, error) {
	row, err := s.client.EventSubscription.Query().Where(eventsubscription.ID(id)).WithProject().Only(ctx)
	if ent.IsNotFound(err) {
		return nil, hark.Errorf(hark.NotFound, "no such subscription")
	}
	if err != nil {
		return nil, fmt.Errorf("load the subscription: %w", err)
	}
	return s.Reveal(row)
}

// Reveal opens what row keeps sealed. Its project must be loaded.
func (s *Store) Reveal(row *ent.EventSubscription) (*hark.Subscription, error) {
	credentials, err := s.OpenCredentials(row.ID, row.Credentials)
	if err != nil {
		return nil, err
	}
	signing := [][]byte{row.SigningSecret}
	if row.PreviousUntil > hark.Now() {
		signing = append(signing, row.PreviousSecret)
	}
	secrets := make([]hark.Secret, len(signing))
	for i, b := range signing {
		plain, err := s.sealer.Open(b, row.ID[:])
		if err != nil {
			return nil, unopened(err)
		}
		secrets[i] = hark.Secret(plain)
	}
	sub := &hark.Subscription{
		ID: row.ID, ProjectID: row.ProjectID, Version: row.Version, Active: row.Active,
		Endpoint: row.DeliveryEndpoint, Protocol: row.CallbackProtocol, PayloadType: row.PayloadType,
		Credentials: *credentials, Signature: row.Signature, SigningSecrets: secrets, PreviousUntil: row.PreviousUntil,
		Timeout: time.Duration(row.TimeoutSeconds) * time.Second, MaxInFlight: row.MaxInFlight, Ordered: row.Ordered,
	}
	if row.Edges.Project != nil {
		sub.ProjectSlug = row.Edges.Project.Slug
	}
	if row.RequestMethod != nil {
		sub.Method = *row.RequestMethod
	}
	if row.SoapVersion != nil {
		sub.SOAPVersion = *row.SoapVersion
	}
	if row.MaxPerSecond != nil {
		sub.MaxPerSecond = *row.MaxPerSecond
	}
	sub.Schedule = make([]time.Duration, 0, len(row.ScheduleSeconds)) // none is no retry; nil would be the default
	for _, n := range row.ScheduleSeconds {
		sub.Schedule = append(sub.Schedule, time.Duration(n)*time.Second)
	}
	return sub, nil
}

// unopened is the error for what can't be opened: final until the operator brings the key back.
func unopened(err error) error {
	return &hark.Error{Code: hark.Conflict, Message: "the subscription's credentials can't be opened: " + err.Error(), Err: err}
}

// sealedCredentials is how credentials look once opened: hark.Credentials
// would not marshal its secrets.
type sealedCredentials struct {
	Type         hark.AuthType `json:"type"`
	Username     string        `json:"username,omitempty"`
	Password     string        `json:"password,omitempty"`
	ClientID     string        `json:"clientId,omitempty"`
	ClientSecret string        `json:"clientSecret,omitempty"`
	TokenURL     string        `json:"tokenUrl,omitempty"`
	Scope        string        `json:"scope,omitempty"`
	Token        string        `json:"token,omitempty"`
	HeaderName   string        `json:"headerName,omitempty"`
	Key          string        `json:"key,omitempty"`
}

// Seal seals a secret of a subscription: a sealed value moved to another
// subscription does not open.
func (s *Store) Seal(subscription hark.ID, plain hark.Secret) []byte {
	return s.sealer.Seal([]byte(plain.Reveal()), subscription[:])
}

// Opens tells whether a secret of a subscription can be opened.
func (s *Store) Opens(subscription hark.ID, sealed []byte) bool {
	_, err := s.sealer.Open(sealed, subscription[:])
	return err == nil
}

// SealCredentials seals the credentials of a subscription.
func (s *Store) SealCredentials(subscription hark.ID, c hark.Credentials) ([]byte, error) {
	plain, err := json.Marshal(sealedCredentials{
		Type: c.Type, Username: c.Username, Password: c.Password.Reveal(),
		ClientID: c.ClientID, ClientSecret: c.ClientSecret.Reveal(), TokenURL: c.TokenURL, Scope: c.Scope,
		Token: c.Token.Reveal(), HeaderName: c.HeaderName, Key: c.Key.Reveal(),
	})
	if err != nil {
		return nil, errors.New("marshal credentials") // the cause might quote them
	}
	return s.sealer.Seal(plain, subscription[:]), nil
}

// OpenCredentials is the reverse of SealCredentials.
func (s *Store) OpenCredentials(subscription hark.ID, sealed []byte) (*hark.Credentials, error) {
	plain, err := s.sealer.Open(sealed, subscription[:])
	if err != nil {
		return nil, unopened(err)
	}
	var c sealedCredentials
	if err := json.Unmarshal(plain, &c); err != nil {
		return nil, errors.New("the opened credentials are malformed") // the cause might quote them
	}
	return &hark.Credentials{
		Type: c.Type, Username: c.Username, Password: hark.Secret(c.Password),
		ClientID: c.ClientID, ClientSecret: hark.Secret(c.ClientSecret), TokenURL: c.TokenURL, Scope: c.Scope,
		Token: hark.Secret(c.Token), HeaderName: c.HeaderName, Key: hark.Secret(c.Key),
	}, nil
}
