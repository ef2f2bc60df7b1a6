package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/centrifugal/centrifuge"
)

// config is the part of Centrifugo's configuration that Clarion generates.
// Names and defaults are Centrifugo's, but for http_server.address, which is
// loopback unless told otherwise.
type config struct {
	HTTPServer httpServer   `json:"http_server"`
	Client     client       `json:"client"`
	HTTPAPI    httpAPI      `json:"http_api"`
	Channel    channelRules `json:"channel"`
	Prometheus toggle       `json:"prometheus"`
	Health     toggle       `json:"health"`
	Log        logging      `json:"log"`
	Shutdown   shutdown     `json:"shutdown"`
	UsageStats usageStats   `json:"usage_stats"`
}

type httpServer struct {
	Address string `json:"address"`
	Port    port   `json:"port"`
}

type client struct {
	Token               tokenKeys `json:"token"`
	AllowedOrigins      []string  `json:"allowed_origins"`
	Insecure            bool      `json:"insecure"`
	PingInterval        duration  `json:"ping_interval"`
	PongTimeout         duration  `json:"pong_timeout"`
	ExpiredCloseDelay   duration  `json:"expired_close_delay"`
	QueueMaxSize        int       `json:"queue_max_size"`
	ChannelLimit        int       `json:"channel_limit"`
	UserConnectionLimit int       `json:"user_connection_limit"`
}

type tokenKeys struct {
	Secret             string `json:"hmac_secret_key"`
	PreviousSecret     string `json:"hmac_previous_secret_key"`
	PreviousValidUntil int64  `json:"hmac_previous_secret_key_valid_until"`
}

type httpAPI struct {
	Key string `json:"key"`
}

type toggle struct {
	Enabled bool `json:"enabled"`
}

type logging struct {
	Level logLevel `json:"level"`
}

type shutdown struct {
	Timeout duration `json:"timeout"`
}

// usageStats is accepted and means nothing here: the hub reports to nobody.
type usageStats struct {
	Disabled bool `json:"disabled"`
}

func (s httpServer) listen() string {
	return net.JoinHostPort(s.Address, strconv.Itoa(int(s.Port)))
}

func defaults() *config {
	return &config{
		HTTPServer: httpServer{Address: "127.0.0.1", Port: 8000},
		Client: client{
			PingInterval:      duration(25 * time.Second),
			PongTimeout:       duration(8 * time.Second),
			ExpiredCloseDelay: duration(25 * time.Second),
			QueueMaxSize:      1 << 20,
			ChannelLimit:      128,
		},
		Channel: channelRules{
			HistoryMetaTTL: duration(30 * 24 * time.Hour),
			MaxLength:      255,
		},
		Log:      logging{Level: "info"},
		Shutdown: shutdown{Timeout: duration(30 * time.Second)},
	}
}

// loadConfig reads and checks a whole configuration; every error is one
// sentence that names the file and the key.
func loadConfig(path string) (*config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	cfg, err := parseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	return cfg, nil
}

func parseConfig(text []byte) (*config, error) {
	var raw any
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("not valid JSON: %w", err)
	}
	cfg := defaults()
	if unknown := unknownKeys(raw, reflect.TypeOf(*cfg), ""); len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, fmt.Errorf("the hub does not know the key %s", strings.Join(unknown, ", nor "))
	}
	if err := json.Unmarshal(text, cfg); err != nil {
		return nil, err
	}
	if cfg.HTTPServer.Address == "" {
		cfg.HTTPServer.Address = "127.0.0.1"
	}
	return cfg, cfg.check()
}

func (c *config) check() error {
	switch {
	case c.Client.Insecure:
		return errors.New("client.insecure must be false: the hub always wants a token")
	case c.Client.Token.Secret == "":
		return errors.New("client.token.hmac_secret_key is missing")
	case c.HTTPAPI.Key == "":
		return errors.New("http_api.key is missing")
	case c.Client.PingInterval <= c.Client.PongTimeout:
		return errors.New("client.ping_interval must be longer than client.pong_timeout")
	case c.Client.QueueMaxSize <= 0:
		return errors.New("client.queue_max_size must be positive")
	case c.Client.ChannelLimit <= 0:
		return errors.New("client.channel_limit must be positive")
	case c.Client.UserConnectionLimit < 0:
		return errors.New("client.user_connection_limit must not be negative")
	case c.Channel.MaxLength <= 0:
		return errors.New("channel.max_length must be positive")
	}
	return c.Channel.check()
}

var namespaceName = regexp.MustCompile(`^[-a-zA-Z0-9_.]{2,}$`)

func (r channelRules) check() error {
	if !r.HistoryMetaTTL.wholeSeconds() {
		return errors.New("channel.history_meta_ttl must be whole seconds")
	}
	if err := r.WithoutNamespace.check("channel.without_namespace", r.HistoryMetaTTL); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, ns := range r.Namespaces {
		if !namespaceName.MatchString(ns.Name) {
			return fmt.Errorf("channel.namespaces: %q is no name for a namespace", ns.Name)
		}
		if seen[ns.Name] {
			return fmt.Errorf("channel.namespaces: %q is there twice", ns.Name)
		}
		seen[ns.Name] = true
		if err := ns.check("channel.namespaces "+ns.Name, r.HistoryMetaTTL); err != nil {
			return err
		}
	}
	return nil
}

func (o channelOptions) check(where string, metaTTL duration) error {
	if o.HistoryMetaTTL != 0 {
		metaTTL = o.HistoryMetaTTL
	}
	if !o.HistoryTTL.wholeSeconds() || !o.HistoryMetaTTL.wholeSeconds() {
		return fmt.Errorf("%s: history_ttl and history_meta_ttl must be whole seconds", where)
	}
	if o.HistoryTTL > metaTTL {
		return fmt.Errorf("%s: history_ttl must not be longer than history_meta_ttl", where)
	}
	if (o.HistorySize > 0) != (o.HistoryTTL > 0) {
		return fmt.Errorf("%s: history_size and history_ttl only work together", where)
	}
	if o.ForceRecovery && !o.keepsHistory() {
		return fmt.Errorf("%s: force_recovery needs history_size and history_ttl", where)
	}
	return nil
}

// unknownKeys lists, with their dotted paths, the keys of a decoded JSON value
// that no field of type t carries.
func unknownKeys(value any, t reflect.Type, path string) []string {
	switch value := value.(type) {
	case []any:
		if t.Kind() != reflect.Slice {
			return nil
		}
		var unknown []string
		for i, item := range value {
			unknown = append(unknown, unknownKeys(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i))...)
		}
		return unknown
	case map[string]any:
		if t.Kind() != reflect.Struct {
			return nil
		}
		var unknown []string
		fields := jsonFields(t)
		for key, item := range value {
			name := strings.TrimPrefix(path+"."+key, ".")
			if field, ok := fields[key]; ok {
				unknown = append(unknown, unknownKeys(item, field, name)...)
			} else {
				unknown = append(unknown, name)
			}
		}
		return unknown
	}
	return nil
}

func jsonFields(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for _, field := range reflect.VisibleFields(t) {
		if name := field.Tag.Get("json"); name != "" {
			fields[name] = field.Type
		}
	}
	return fields
}

// port takes 8000 and "8000", as Centrifugo does.
type port int

func (p *port) UnmarshalJSON(text []byte) error {
	number, err := strconv.ParseUint(string(bytes.Trim(text, `"`)), 10, 16)
	if err != nil {
		return fmt.Errorf("http_server.port: %s is no port", text)
	}
	*p = port(number)
	return nil
}

// duration takes Go's notation: "600s", "10m".
type duration time.Duration

func (d *duration) UnmarshalJSON(text []byte) error {
	var notation string
	if err := json.Unmarshal(text, &notation); err != nil {
		return fmt.Errorf(`%s is no duration like "10m"`, text)
	}
	parsed, err := time.ParseDuration(notation)
	if err != nil || parsed < 0 {
		return fmt.Errorf(`%s is no duration like "10m"`, text)
	}
	*d = duration(parsed)
	return nil
}

func (d duration) wholeSeconds() bool {
	return time.Duration(d)%time.Second == 0
}

type logLevel string

var logLevels = map[logLevel]struct {
	slog   slog.Level
	engine centrifuge.LogLevel
}{
	"trace": {slog.LevelDebug, centrifuge.LogLevelTrace},
	"debug": {slog.LevelDebug, centrifuge.LogLevelDebug},
	"info":  {slog.LevelInfo, centrifuge.LogLevelInfo},
	"warn":  {slog.LevelWarn, centrifuge.LogLevelWarn},
	"error": {slog.LevelError, centrifuge.LogLevelError},
	"none":  {slog.LevelError + 1, centrifuge.LogLevelNone},
}

func (l *logLevel) UnmarshalJSON(text []byte) error {
	name := logLevel(bytes.Trim(text, `"`))
	if _, ok := logLevels[name]; !ok {
		return fmt.Errorf("log.level: %s is not one of trace, debug, info, warn, error, none", text)
	}
	*l = name
	return nil
}

func (l logLevel) slog() slog.Level            { return logLevels[l].slog }
func (l logLevel) engine() centrifuge.LogLevel { return logLevels[l].engine }
