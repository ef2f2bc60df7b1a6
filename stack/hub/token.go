package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	errTokenExpired = errors.New("token expired")
	errTokenInvalid = errors.New("token invalid")
)

// claims are what the hub reads of a connection token. Times are seconds
// since 1970.
type claims struct {
	User      string   `json:"sub"`
	ExpiresAt float64  `json:"exp"`
	NotBefore float64  `json:"nbf"`
	Channels  []string `json:"channels"`

	// Centrifugo knows these; a token that carries one is refused, for to
	// pass over it would grant something else than it says.
	Channel  json.RawMessage `json:"channel"`
	Subs     json.RawMessage `json:"subs"`
	ExpireAt json.RawMessage `json:"expire_at"`
}

func (c claims) refused() string {
	for name, value := range map[string]json.RawMessage{"channel": c.Channel, "subs": c.Subs, "expire_at": c.ExpireAt} {
		if len(value) > 0 {
			return name
		}
	}
	return ""
}

// verifier checks HS256 tokens under the current key and, during a rotation,
// the one before it.
type verifier struct {
	keys tokenKeys
	now  func() time.Time
}

func newVerifier(keys tokenKeys) verifier {
	return verifier{keys: keys, now: time.Now}
}

// connection returns the claims of a valid token, errTokenExpired for one
// that is genuine but not of this hour, and errTokenInvalid for all others.
func (v verifier) connection(token string) (claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}, fmt.Errorf("%w: not a JWT", errTokenInvalid)
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	if err := decodePart(parts[0], &header); err != nil || header.Algorithm != "HS256" {
		return claims{}, fmt.Errorf("%w: not signed with HS256", errTokenInvalid)
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !v.signed(parts[0]+"."+parts[1], signature) {
		return claims{}, fmt.Errorf("%w: wrong signature", errTokenInvalid)
	}
	var c claims
	if err := decodePart(parts[1], &c); err != nil {
		return claims{}, fmt.Errorf("%w: unreadable claims", errTokenInvalid)
	}
	if name := c.refused(); name != "" {
		return claims{}, fmt.Errorf("%w: the hub does not know the claim %s", errTokenInvalid, name)
	}
	now := float64(v.now().UnixNano()) / 1e9
	if (c.ExpiresAt != 0 && c.ExpiresAt <= now) || c.NotBefore > now {
		return claims{}, errTokenExpired
	}
	return c, nil
}

func (v verifier) signed(text string, signature []byte) bool {
	if hmac.Equal(signature, sign(text, v.keys.Secret)) {
		return true
	}
	until := v.keys.PreviousValidUntil
	current := until == 0 || v.now().Unix() <= until
	return v.keys.PreviousSecret != "" && current && hmac.Equal(signature, sign(text, v.keys.PreviousSecret))
}

func sign(text, key string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func decodePart(part string, into any) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
