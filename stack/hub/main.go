// The local realtime hub: Centrifugo's engine behind the part of Centrifugo's
// configuration, client rules and HTTP API that Clarion uses. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/prometheus/client_golang/prometheus"
)

const enginePath = "github.com/centrifugal/centrifuge"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "hub: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 1 && args[0] == "version" {
		fmt.Println("clarion hub " + engineVersion())
		return nil
	}
	var path string
	flags := flag.NewFlagSet("hub", flag.ContinueOnError)
	flags.StringVar(&path, "config", "config.json", "path of the JSON configuration")
	flags.StringVar(&path, "c", "config.json", "short for --config")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cfg, err := loadConfig(path)
	if err != nil {
		return err
	}
	return serve(cfg)
}

// serve answers until SIGTERM or SIGINT, then closes every connection with
// code 3001 and returns. A second signal ends the process at once.
func serve(cfg *config) error {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.Log.Level.slog()})))
	metrics := prometheus.NewRegistry()
	node, err := newNode(cfg, metrics)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/connection/websocket", websocketHandler(node, cfg))
	(&api{node: node, channels: cfg.Channel, key: cfg.HTTPAPI.Key}).mount(mux)
	mountHealth(mux, cfg, metrics)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}

	stop, release := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer release()
	listener, err := net.Listen("tcp", cfg.HTTPServer.listen())
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", cfg.HTTPServer.listen(), err)
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	slog.Info("hub is serving", "address", listener.Addr().String(), "engine", engineVersion())

	select {
	case err := <-failed:
		return err
	case <-stop.Done():
		release()
	}
	slog.Info("hub is stopping")
	deadline, cancel := context.WithTimeout(context.Background(), time.Duration(cfg.Shutdown.Timeout))
	defer cancel()
	return errors.Join(node.Shutdown(deadline), server.Shutdown(deadline))
}

// newNode starts the engine with its memory broker. The metric names carry
// Centrifugo's prefix, so one dashboard serves both.
func newNode(cfg *config, metrics *prometheus.Registry) (*centrifuge.Node, error) {
	node, err := centrifuge.New(centrifuge.Config{
		Version:                 engineVersion(),
		Name:                    "clarion-hub-" + cfg.HTTPServer.listen(),
		LogLevel:                cfg.Log.Level.engine(),
		LogHandler:              logEngine,
		ChannelMaxLength:        cfg.Channel.MaxLength,
		HistoryMetaTTL:          time.Duration(cfg.Channel.HistoryMetaTTL),
		ClientChannelLimit:      cfg.Client.ChannelLimit,
		UserConnectionLimit:     cfg.Client.UserConnectionLimit,
		ClientStaleCloseDelay:   10 * time.Second,
		ClientExpiredCloseDelay: time.Duration(cfg.Client.ExpiredCloseDelay),
		ClientQueueMaxSize:      cfg.Client.QueueMaxSize,
		Metrics:                 centrifuge.MetricsConfig{MetricsNamespace: "centrifugo", RegistererGatherer: metrics},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot create the engine: %w", err)
	}
	clients{node: node, channels: cfg.Channel, tokens: newVerifier(cfg.Client.Token)}.mount()
	if err := node.Run(); err != nil {
		return nil, fmt.Errorf("cannot start the engine: %w", err)
	}
	return node, nil
}

func logEngine(entry centrifuge.LogEntry) {
	level := slog.LevelDebug
	switch entry.Level {
	case centrifuge.LogLevelInfo:
		level = slog.LevelInfo
	case centrifuge.LogLevelWarn:
		level = slog.LevelWarn
	case centrifuge.LogLevelError:
		level = slog.LevelError
	}
	fields := make([]any, 0, 2*len(entry.Fields))
	for name, value := range entry.Fields {
		fields = append(fields, name, value)
	}
	slog.Log(context.Background(), level, entry.Message, fields...)
}

func engineVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == enginePath {
				return module.Version
			}
		}
	}
	return "unknown"
}
