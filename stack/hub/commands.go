package main

import (
	"encoding/json"
	"regexp"

	"github.com/centrifugal/centrifuge"
)

type position struct {
	Offset uint64 `json:"offset,omitempty"`
	Epoch  string `json:"epoch,omitempty"`
}

type inChannel struct {
	Channel string `json:"channel"`
}

type publishRequest struct {
	inChannel
	payload
}

func (a *api) publish(q publishRequest) (any, error) {
	options, err := a.required(q.Channel)
	if err != nil {
		return nil, err
	}
	data, err := q.bytes()
	if err != nil {
		return nil, err
	}
	published := []centrifuge.PublishOption{
		centrifuge.WithTags(q.Tags),
		centrifuge.WithIdempotencyKey(q.IdempotencyKey),
	}
	if !q.SkipHistory {
		published = append(published, options.history())
	}
	result, err := a.node.Publish(q.Channel, data, published...)
	if err != nil {
		return nil, err
	}
	return position{Offset: result.Offset, Epoch: result.Epoch}, nil
}

type broadcastRequest struct {
	Channels []string `json:"channels"`
	payload
}

// broadcast publishes into each channel by itself: one that fails has its
// error in its place of the list and leaves the others alone.
func (a *api) broadcast(q broadcastRequest) (any, error) {
	if len(q.Channels) == 0 {
		return nil, centrifuge.ErrorBadRequest
	}
	responses := make([]response, 0, len(q.Channels))
	for _, channel := range q.Channels {
		result, err := a.publish(publishRequest{inChannel{channel}, q.payload})
		if err != nil {
			responses = append(responses, response{Error: toAPIError(err)})
		} else {
			responses = append(responses, response{Result: result})
		}
	}
	return map[string]any{"responses": responses}, nil
}

type connection struct {
	User    string `json:"user"`
	Client  string `json:"client"`
	Session string `json:"session"`
}

type subscribeRequest struct {
	connection
	inChannel
	RecoverSince *position `json:"recover_since"`
}

func (a *api) subscribe(q subscribeRequest) (any, error) {
	options, err := a.required(q.Channel)
	if err != nil {
		return nil, err
	}
	return none{}, a.node.Subscribe(q.User, q.Channel,
		centrifuge.WithSubscribeClient(q.Client),
		centrifuge.WithSubscribeSession(q.Session),
		centrifuge.WithRecovery(options.ForceRecovery),
		centrifuge.WithPositioning(options.ForcePositioning),
		centrifuge.WithRecoverSince(since(q.RecoverSince)),
		centrifuge.WithSubscribeHistoryMetaTTL(options.metaTTL()),
	)
}

type unsubscribeRequest struct {
	connection
	inChannel
}

// unsubscribe without a channel leaves all of the user's channels.
func (a *api) unsubscribe(q unsubscribeRequest) (any, error) {
	if q.Channel != "" {
		if _, err := a.channels.options(q.Channel); err != nil {
			return nil, err
		}
	}
	return none{}, a.node.Unsubscribe(q.User, q.Channel,
		centrifuge.WithUnsubscribeClient(q.Client),
		centrifuge.WithUnsubscribeSession(q.Session),
	)
}

type disconnectRequest struct {
	connection
	Whitelist  []string `json:"whitelist"`
	Disconnect *struct {
		Code   uint32 `json:"code"`
		Reason string `json:"reason"`
	} `json:"disconnect"`
}

func (a *api) disconnect(q disconnectRequest) (any, error) {
	with := centrifuge.DisconnectForceNoReconnect
	if q.Disconnect != nil {
		with = centrifuge.Disconnect{Code: q.Disconnect.Code, Reason: q.Disconnect.Reason}
	}
	return none{}, a.node.Disconnect(q.User,
		centrifuge.WithCustomDisconnect(with),
		centrifuge.WithDisconnectClient(q.Client),
		centrifuge.WithDisconnectSession(q.Session),
		centrifuge.WithDisconnectClientWhitelist(q.Whitelist),
	)
}

type refreshRequest struct {
	connection
	Expired  bool  `json:"expired"`
	ExpireAt int64 `json:"expire_at"`
}

func (a *api) refresh(q refreshRequest) (any, error) {
	return none{}, a.node.Refresh(q.User,
		centrifuge.WithRefreshClient(q.Client),
		centrifuge.WithRefreshSession(q.Session),
		centrifuge.WithRefreshExpired(q.Expired),
		centrifuge.WithRefreshExpireAt(q.ExpireAt),
	)
}

// presence is a feature that no channel of the hub can have.
func (a *api) presence(q inChannel) (any, error) {
	if _, err := a.required(q.Channel); err != nil {
		return nil, err
	}
	return nil, centrifuge.ErrorNotAvailable
}

type historyRequest struct {
	inChannel
	Limit   int       `json:"limit"`
	Since   *position `json:"since"`
	Reverse bool      `json:"reverse"`
}

type publication struct {
	Data   json.RawMessage   `json:"data"`
	Offset uint64            `json:"offset"`
	Tags   map[string]string `json:"tags,omitempty"`
}

type historyResult struct {
	Publications []publication `json:"publications"`
	Epoch        string        `json:"epoch"`
	Offset       uint64        `json:"offset"`
}

func (a *api) withHistory(channel string) (channelOptions, error) {
	options, err := a.required(channel)
	if err == nil && !options.keepsHistory() {
		err = centrifuge.ErrorNotAvailable
	}
	return options, err
}

// history without a limit tells only where the stream is.
func (a *api) history(q historyRequest) (any, error) {
	options, err := a.withHistory(q.Channel)
	if err != nil {
		return nil, err
	}
	stream, err := a.node.History(q.Channel,
		centrifuge.WithHistoryMetaTTL(options.metaTTL()),
		centrifuge.WithLimit(q.Limit),
		centrifuge.WithSince(since(q.Since)),
		centrifuge.WithReverse(q.Reverse),
	)
	if err != nil {
		return nil, err
	}
	result := historyResult{Publications: []publication{}, Epoch: stream.Epoch, Offset: stream.Offset}
	for _, p := range stream.Publications {
		result.Publications = append(result.Publications, publication{Data: p.Data, Offset: p.Offset, Tags: p.Tags})
	}
	return result, nil
}

func since(p *position) *centrifuge.StreamPosition {
	if p == nil {
		return nil
	}
	return &centrifuge.StreamPosition{Offset: p.Offset, Epoch: p.Epoch}
}

func (a *api) historyRemove(q inChannel) (any, error) {
	if _, err := a.withHistory(q.Channel); err != nil {
		return nil, err
	}
	return none{}, a.node.RemoveHistory(q.Channel)
}

type channelsRequest struct {
	Pattern string `json:"pattern"`
}

type subscribers struct {
	Clients int `json:"num_clients,omitempty"`
}

func (a *api) listChannels(q channelsRequest) (any, error) {
	pattern := regexp.MustCompile("")
	if q.Pattern != "" {
		pattern = wildcard(q.Pattern)
	}
	channels := map[string]subscribers{}
	for _, channel := range a.node.Hub().Channels() {
		if count := a.node.Hub().NumSubscribers(channel); count > 0 && pattern.MatchString(channel) {
			channels[channel] = subscribers{Clients: count}
		}
	}
	return map[string]any{"channels": channels}, nil
}

type nodeInfo struct {
	UID         string `json:"uid"`
	Name        string `json:"name"`
	Version     string `json:"version"`
	NumClients  uint32 `json:"num_clients"`
	NumUsers    uint32 `json:"num_users"`
	NumSubs     uint32 `json:"num_subs"`
	NumChannels uint32 `json:"num_channels"`
	Uptime      uint32 `json:"uptime,omitempty"`
}

func (a *api) info(none) (any, error) {
	known, err := a.node.Info()
	if err != nil {
		return nil, err
	}
	nodes := make([]nodeInfo, 0, len(known.Nodes))
	for _, n := range known.Nodes {
		nodes = append(nodes, nodeInfo{
			UID: n.UID, Name: n.Name, Version: n.Version,
			NumClients: n.NumClients, NumUsers: n.NumUsers, NumSubs: n.NumSubs,
			NumChannels: n.NumChannels, Uptime: n.Uptime,
		})
	}
	return map[string]any{"nodes": nodes}, nil
}
