package server

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/authority"
	"github.com/hark-events/hark/server/wire"
)

// maxTokenBody is the largest body of a request about tokens, in bytes.
const maxTokenBody = 16 << 10

// tokenAnswer is a token in the form of universal auth.
type tokenAnswer struct {
	AccessToken string `json:"accessToken"`
	ExpiresIn   int64  `json:"expiresIn"`
	MaxTTL      int64  `json:"accessTokenMaxTTL"`
	TokenType   string `json:"tokenType"`
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ClientID     string `json:"clientId"`
		ClientSecret string `json:"clientSecret"`
	}
	if err := s.conf.Limiter.Login(r.Context()); err != nil {
		wire.WriteError(w, r, s.conf.Log, err)
		return
	}
	if err := decode(w, r, &in); err != nil {
		wire.WriteError(w, r, s.conf.Log, err)
		return
	}
	var issues []wire.Issue
	if in.ClientID == "" {
		issues = append(issues, wire.Issue{Path: "clientId", Message: "it is required: the id of an identity's client secret"})
	}
	if in.ClientSecret == "" {
		issues = append(issues, wire.Issue{Path: "clientSecret", Message: "it is required: one of the identity's client secrets"})
	}
	if issues != nil {
		wire.Unprocessable(w, r, issues)
		return
	}
	t, err := s.conf.Tokens.Login(r.Context(), in.ClientID, in.ClientSecret)
	s.answerToken(w, r, t, err)
}

func (s *Server) renew(w http.ResponseWriter, r *http.Request) {
	token, err := s.ownToken(w, r)
	if err != nil {
		wire.WriteError(w, r, s.conf.Log, err)
		return
	}
	t, err := s.conf.Tokens.Renew(r.Context(), token)
	s.answerToken(w, r, t, err)
}

func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	token, err := s.ownToken(w, r)
	if err == nil {
		err = s.conf.Tokens.Revoke(r.Context(), token)
	}
	if err != nil {
		wire.WriteError(w, r, s.conf.Log, err)
		return
	}
	wire.WriteJSON(w, http.StatusOK, map[string]string{"message": "the access token is revoked"})
}

// ownToken gives the token that the request is about, which must be its Bearer too.
func (s *Server) ownToken(w http.ResponseWriter, r *http.Request) (string, error) {
	r, err := authority.Authenticate(r, s.conf.Access)
	if err != nil {
		return "", err
	}
	if _, err := hark.ViewerFrom(r.Context()); err != nil {
		return "", err
	}
	var in struct {
		AccessToken string `json:"accessToken"`
	}
	if err := decode(w, r, &in); err != nil {
		return "", err
	}
	bearer := authority.Bearer(r.Header.Get("Authorization"))
	if subtle.ConstantTimeCompare([]byte(in.AccessToken), []byte(bearer)) != 1 {
		return "", hark.BadInput("accessToken", "it must be the token that is sent as Bearer")
	}
	return bearer, nil
}

func (s *Server) answerToken(w http.ResponseWriter, r *http.Request, t Token, err error) {
	if err != nil {
		wire.WriteError(w, r, s.conf.Log, err)
		return
	}
	wire.WriteJSON(w, http.StatusOK, tokenAnswer{t.AccessToken.Reveal(), t.ExpiresIn, t.MaxTTL, "Bearer"})
}

// decode reads a small JSON object; nothing of it is echoed.
func decode(w http.ResponseWriter, r *http.Request, v any) error {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTokenBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	if err != nil || json.Unmarshal(raw, v) != nil {
		return hark.BadInput("", "the body must be a JSON object of strings")
	}
	return nil
}
