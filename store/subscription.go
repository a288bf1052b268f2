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
// secrets opened, or the words why they can't be; NOT_FOUND when there is none.
func (s *Store) Subscription(ctx context.Context, id hark.ID) (*hark.Subscription, error) {
	row, err := s.client.EventSubscription.Query().Where(eventsubscription.ID(id)).WithProject().Only(ctx)
	if ent.IsNotFound(err) {
		return nil, hark.Errorf(hark.NotFound, "no such subscription")
	}
	if err != nil {
		return nil, fmt.Errorf("load the subscription: %w", err)
	}
	sub := &hark.Subscription{
		ID: row.ID, ProjectID: row.ProjectID, ProjectSlug: row.Edges.Project.Slug, Version: row.Version, Active: row.Active,
		Endpoint: row.DeliveryEndpoint, Protocol: row.CallbackProtocol, PayloadType: row.PayloadType,
		Signature: row.Signature, PreviousUntil: row.PreviousUntil,
		Timeout: time.Duration(row.TimeoutSeconds) * time.Second, MaxInFlight: row.MaxInFlight, Ordered: row.Ordered,
	}
	if err := s.reveal(sub, row); err != nil {
		sub.Lost = err.Message
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

// reveal opens what row keeps sealed into sub.
func (s *Store) reveal(sub *hark.Subscription, row *ent.EventSubscription) *hark.Error {
	credentials, lost := s.openCredentials(row.ID, row.Credentials)
	if lost != nil {
		return lost
	}
	secret, err := s.sealer.Open(row.SigningSecret, row.ID[:])
	if err != nil {
		return unopened("signing secret", err)
	}
	sub.Credentials, sub.SigningSecrets = *credentials, []hark.Secret{hark.Secret(secret)}
	if row.PreviousUntil > hark.Now() {
		if previous, err := s.sealer.Open(row.PreviousSecret, row.ID[:]); err == nil { // else it signs no more: the new one does
			sub.SigningSecrets = append(sub.SigningSecrets, hark.Secret(previous))
		}
	}
	return nil
}

// unopened is the error for what can't be opened until the operator brings its key back.
func unopened(what string, err error) *hark.Error {
	return &hark.Error{
		Code: hark.Conflict, Err: err,
		Message: "the subscription's " + what + " can't be opened (" + err.Error() + "): bring the key back, or replace the " + what,
	}
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

// OpenCredentials is the reverse of SealCredentials; CONFLICT when they can't be opened.
func (s *Store) OpenCredentials(subscription hark.ID, sealed []byte) (*hark.Credentials, error) {
	c, lost := s.openCredentials(subscription, sealed)
	if lost != nil {
		return nil, lost
	}
	return c, nil
}

func (s *Store) openCredentials(subscription hark.ID, sealed []byte) (*hark.Credentials, *hark.Error) {
	plain, err := s.sealer.Open(sealed, subscription[:])
	if err != nil {
		return nil, unopened("credentials", err)
	}
	var c sealedCredentials
	if err := json.Unmarshal(plain, &c); err != nil {
		return nil, unopened("credentials", errors.New("they are malformed")) // the cause might quote them
	}
	return &hark.Credentials{
		Type: c.Type, Username: c.Username, Password: hark.Secret(c.Password),
		ClientID: c.ClientID, ClientSecret: hark.Secret(c.ClientSecret), TokenURL: c.TokenURL, Scope: c.Scope,
		Token: hark.Secret(c.Token), HeaderName: c.HeaderName, Key: hark.Secret(c.Key),
	}, nil
}
