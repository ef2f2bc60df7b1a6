package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func mountHealth(mux *http.ServeMux, cfg *config, metrics *prometheus.Registry) {
	if cfg.Health.Enabled {
		mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, http.StatusOK, struct{}{})
		})
	}
	if cfg.Prometheus.Enabled {
		mux.Handle("/metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	}
}
