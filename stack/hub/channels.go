package main

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/centrifugal/centrifuge"
)

type channelRules struct {
	WithoutNamespace channelOptions `json:"without_namespace"`
	Namespaces       []namespace    `json:"namespaces"`
	// How long a channel's position is remembered after its last use, unless
	// its own options say otherwise; in characters, the longest name.
	HistoryMetaTTL duration `json:"history_meta_ttl"`
	MaxLength      int      `json:"max_length"`
}

type namespace struct {
	Name string `json:"name"`
	channelOptions
}

type channelOptions struct {
	UserLimited         bool     `json:"allow_user_limited_channels"`
	ClientsMaySubscribe bool     `json:"allow_subscribe_for_client"`
	HistorySize         int      `json:"history_size"`
	HistoryTTL          duration `json:"history_ttl"`
	HistoryMetaTTL      duration `json:"history_meta_ttl"`
	ForceRecovery       bool     `json:"force_recovery"`
	ForcePositioning    bool     `json:"force_positioning"`
}

func (o channelOptions) keepsHistory() bool {
	return o.HistorySize > 0 && o.HistoryTTL > 0
}

func (o channelOptions) subscription() centrifuge.SubscribeOptions {
	return centrifuge.SubscribeOptions{
		EnableRecovery:    o.ForceRecovery,
		EnablePositioning: o.ForcePositioning,
		HistoryMetaTTL:    o.metaTTL(),
	}
}

func (o channelOptions) history() centrifuge.PublishOption {
	return centrifuge.WithHistory(o.HistorySize, time.Duration(o.HistoryTTL), o.metaTTL())
}

// metaTTL of zero stands for channel.history_meta_ttl.
func (o channelOptions) metaTTL() time.Duration {
	return time.Duration(o.HistoryMetaTTL)
}

const privatePrefix = "$"

// options finds the rules of a channel: those of the namespace before the
// first ":", or of channels without one. An undeclared namespace is
// ErrorUnknownChannel.
func (r channelRules) options(channel string) (channelOptions, error) {
	name, _, found := strings.Cut(strings.TrimPrefix(channel, privatePrefix), ":")
	if !found || name == "" {
		return r.WithoutNamespace, nil
	}
	for _, ns := range r.Namespaces {
		if ns.Name == name {
			return ns.channelOptions, nil
		}
	}
	return channelOptions{}, centrifuge.ErrorUnknownChannel
}

// named is options for a name that a client chose: ASCII only.
func (r channelRules) named(channel string) (channelOptions, error) {
	options, err := r.options(channel)
	if err != nil {
		return options, err
	}
	if strings.IndexFunc(channel, func(c rune) bool { return c > unicode.MaxASCII }) >= 0 {
		return options, centrifuge.ErrorBadRequest
	}
	return options, nil
}

// maySubscribe decides for a client that brings no subscription token. In a
// channel with a user part ("orders#p1", "pair#p1,p2") the last part alone
// decides, if its rules know user parts; else any known user may join where
// the rules let clients subscribe at all.
func (o channelOptions) maySubscribe(channel, user string) bool {
	if strings.HasPrefix(channel, privatePrefix) {
		return false
	}
	if at := strings.LastIndex(channel, "#"); at >= 0 && o.UserLimited {
		return slices.Contains(strings.Split(channel[at+1:], ","), user)
	}
	return o.ClientsMaySubscribe && user != ""
}
