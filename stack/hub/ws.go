package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/centrifugal/centrifuge"
)

// clients answers what connected clients ask: to connect, refresh, subscribe.
// They may not publish, nor read history or presence.
type clients struct {
	node     *centrifuge.Node
	channels channelRules
	tokens   verifier
}

func (s clients) mount() {
	s.node.OnConnecting(s.connecting)
	s.node.OnConnect(func(c *centrifuge.Client) {
		c.OnRefresh(func(e centrifuge.RefreshEvent, done centrifuge.RefreshCallback) {
			done(s.refresh(c, e))
		})
		c.OnSubscribe(func(e centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
			done(s.subscribe(c, e))
		})
		c.OnPublish(func(e centrifuge.PublishEvent, done centrifuge.PublishCallback) {
			done(centrifuge.PublishReply{}, s.refuse(e.Channel, permissionDenied))
		})
		c.OnHistory(func(e centrifuge.HistoryEvent, done centrifuge.HistoryCallback) {
			done(centrifuge.HistoryReply{}, s.refuse(e.Channel, historyDenied))
		})
		c.OnPresence(func(e centrifuge.PresenceEvent, done centrifuge.PresenceCallback) {
			done(centrifuge.PresenceReply{}, s.refuse(e.Channel, notAvailable))
		})
		c.OnPresenceStats(func(e centrifuge.PresenceStatsEvent, done centrifuge.PresenceStatsCallback) {
			done(centrifuge.PresenceStatsReply{}, s.refuse(e.Channel, notAvailable))
		})
	})
}

// connecting lets in whoever brings a valid token. The channels that the
// token names are joined at once; those that the client asks for along with
// its connect command, only as far as it might subscribe to them itself.
func (s clients) connecting(_ context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
	if e.Token == "" {
		return centrifuge.ConnectReply{}, centrifuge.DisconnectBadRequest
	}
	token, err := s.tokens.connection(e.Token)
	if errors.Is(err, errTokenExpired) {
		return centrifuge.ConnectReply{}, centrifuge.ErrorTokenExpired
	}
	if err != nil {
		slog.Info("connection refused", "client", e.ClientID, "error", err)
		return centrifuge.ConnectReply{}, centrifuge.DisconnectInvalidToken
	}
	joined := map[string]centrifuge.SubscribeOptions{}
	for _, channel := range token.Channels {
		options, err := s.channels.options(channel)
		if err != nil {
			return centrifuge.ConnectReply{}, err
		}
		joined[channel] = options.subscription()
	}
	for _, channel := range e.Channels {
		options, err := s.channels.named(channel)
		if errors.Is(err, centrifuge.ErrorUnknownChannel) {
			return centrifuge.ConnectReply{}, centrifuge.DisconnectBadRequest
		}
		if err == nil && options.maySubscribe(channel, token.User) {
			joined[channel] = options.subscription()
		}
	}
	return centrifuge.ConnectReply{
		Credentials:       &centrifuge.Credentials{UserID: token.User, ExpireAt: int64(token.ExpiresAt)},
		Subscriptions:     joined,
		ClientSideRefresh: true,
	}, nil
}

func (s clients) refresh(c *centrifuge.Client, e centrifuge.RefreshEvent) (centrifuge.RefreshReply, error) {
	token, err := s.tokens.connection(e.Token)
	if errors.Is(err, errTokenExpired) {
		return centrifuge.RefreshReply{Expired: true}, nil
	}
	if err != nil || token.User != c.UserID() {
		slog.Info("refresh refused", "client", c.ID(), "user", c.UserID())
		return centrifuge.RefreshReply{}, centrifuge.DisconnectInvalidToken
	}
	return centrifuge.RefreshReply{ExpireAt: int64(token.ExpiresAt)}, nil
}

func (s clients) subscribe(c *centrifuge.Client, e centrifuge.SubscribeEvent) (centrifuge.SubscribeReply, error) {
	options, err := s.channels.named(e.Channel)
	if err == nil && (e.Token != "" || !options.maySubscribe(e.Channel, c.UserID())) {
		err = centrifuge.ErrorPermissionDenied
	}
	if err != nil {
		slog.Info("subscription refused", "client", c.ID(), "user", c.UserID(), "channel", e.Channel, "error", err)
		return centrifuge.SubscribeReply{}, err
	}
	return centrifuge.SubscribeReply{Options: options.subscription(), ClientSideRefresh: true}, nil
}

// refuse tells why a client may not do a thing in a channel: first what is
// wrong with its name, then why nobody may.
func (s clients) refuse(channel string, why func(channelOptions) error) error {
	options, err := s.channels.named(channel)
	if err != nil {
		return err
	}
	return why(options)
}

func permissionDenied(channelOptions) error { return centrifuge.ErrorPermissionDenied }
func notAvailable(channelOptions) error     { return centrifuge.ErrorNotAvailable }

func historyDenied(options channelOptions) error {
	if !options.keepsHistory() {
		return centrifuge.ErrorNotAvailable
	}
	return centrifuge.ErrorPermissionDenied
}

func websocketHandler(node *centrifuge.Node, cfg *config) http.Handler {
	return centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		CheckOrigin:      originCheck(cfg.Client.AllowedOrigins),
		MessageSizeLimit: 65536,
		WriteTimeout:     time.Second,
		PingPongConfig: centrifuge.PingPongConfig{
			PingInterval: time.Duration(cfg.Client.PingInterval),
			PongTimeout:  time.Duration(cfg.Client.PongTimeout),
		},
	})
}

// originCheck lets in requests without an Origin (no browser sends none) and
// those whose Origin fits a pattern.
func originCheck(patterns []string) func(*http.Request) bool {
	fits := make([]*regexp.Regexp, 0, len(patterns))
	for _, pattern := range patterns {
		fits = append(fits, wildcard(pattern))
	}
	return func(r *http.Request) bool {
		origin := strings.ToLower(r.Header.Get("Origin"))
		if origin == "" {
			return true
		}
		for _, fit := range fits {
			if fit.MatchString(origin) {
				return true
			}
		}
		return false
	}
}

// wildcard reads "*" as any text and "?" as any one character.
func wildcard(pattern string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(pattern)
	quoted = strings.ReplaceAll(quoted, `\*`, ".*")
	return regexp.MustCompile("^" + strings.ReplaceAll(quoted, `\?`, ".") + "$")
}
