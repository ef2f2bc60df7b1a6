package main

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/centrifugal/centrifuge"
)

// api is the HTTP server API under /api/, as the PyPI client cent calls it:
// one POST per command, answered with status 200 and {"result"} or {"error"}.
type api struct {
	node     *centrifuge.Node
	channels channelRules
	key      string
}

// maxBody bounds one request; the largest that Clarion sends is a broadcast
// of one event (256 KB) to some thousand channels.
const maxBody = 16 << 20

// command reads one command's body; what it returns carries the command out.
type command func(body []byte) (func() (any, error), error)

func (a *api) commands() map[string]command {
	return map[string]command{
		"publish":        reads(a.publish),
		"broadcast":      reads(a.broadcast),
		"subscribe":      reads(a.subscribe),
		"unsubscribe":    reads(a.unsubscribe),
		"disconnect":     reads(a.disconnect),
		"refresh":        reads(a.refresh),
		"presence":       reads(a.presence),
		"presence_stats": reads(a.presence),
		"history":        reads(a.history),
		"history_remove": reads(a.historyRemove),
		"channels":       reads(a.listChannels),
		"info":           reads(a.info),
	}
}

func reads[Q any](do func(Q) (any, error)) command {
	return func(body []byte) (func() (any, error), error) {
		var request Q
		if err := json.Unmarshal(body, &request); err != nil {
			return nil, err
		}
		return func() (any, error) { return do(request) }, nil
	}
}

func (a *api) mount(mux *http.ServeMux) {
	commands := a.commands()
	for name, read := range commands {
		mux.Handle("/api/"+name, a.authorized(func(w http.ResponseWriter, r *http.Request, body []byte) {
			answer(w, r, read, body)
		}))
	}
	mux.Handle("/api/batch", a.authorized(func(w http.ResponseWriter, _ *http.Request, body []byte) {
		batch(w, commands, body)
	}))
}

func (a *api) authorized(next func(http.ResponseWriter, *http.Request, []byte)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("X-API-Key")), []byte(a.key)) != 1 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			writeStatus(w, http.StatusRequestEntityTooLarge)
			return
		}
		next(w, r, body)
	})
}

type apiError struct {
	Code    uint32 `json:"code"`
	Message string `json:"message"`
}

type response struct {
	Error  *apiError `json:"error,omitempty"`
	Result any       `json:"result,omitempty"`
}

type none struct{}

// statuses are for callers that ask for errors as HTTP statuses, with the
// header X-Centrifugo-Error-Mode: transport. Any other error is a 500.
var statuses = map[uint32]int{
	centrifuge.ErrorUnknownChannel.Code:        http.StatusNotFound,
	centrifuge.ErrorMethodNotFound.Code:        http.StatusNotFound,
	centrifuge.ErrorBadRequest.Code:            http.StatusBadRequest,
	centrifuge.ErrorNotAvailable.Code:          http.StatusBadRequest,
	centrifuge.ErrorUnrecoverablePosition.Code: http.StatusRequestedRangeNotSatisfiable,
}

func answer(w http.ResponseWriter, r *http.Request, read command, body []byte) {
	do, err := read(body)
	if err != nil {
		writeStatus(w, http.StatusBadRequest)
		return
	}
	result, err := do()
	if err == nil {
		writeJSON(w, http.StatusOK, response{Result: result})
		return
	}
	failure := toAPIError(err)
	if r.Header.Get("X-Centrifugo-Error-Mode") != "transport" {
		writeJSON(w, http.StatusOK, response{Error: failure})
		return
	}
	status, ok := statuses[failure.Code]
	if !ok {
		status = http.StatusInternalServerError
	}
	writeJSON(w, status, failure)
}

// batch reads all its commands before it carries out the first, one after the
// other (asked for "parallel" too: the order is then simply a fixed one).
func batch(w http.ResponseWriter, commands map[string]command, body []byte) {
	var request struct {
		Commands []map[string]json.RawMessage `json:"commands"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		writeStatus(w, http.StatusBadRequest)
		return
	}
	replies := make([]map[string]any, len(request.Commands))
	todo := make([]func() (any, error), len(request.Commands))
	names := make([]string, len(request.Commands))
	for i, entry := range request.Commands {
		todo[i] = func() (any, error) { return nil, centrifuge.ErrorMethodNotFound }
		for name, body := range entry {
			read, ok := commands[name]
			if !ok {
				continue
			}
			do, err := read(body)
			if err != nil {
				writeStatus(w, http.StatusBadRequest)
				return
			}
			names[i], todo[i] = name, do
		}
	}
	for i, do := range todo {
		result, err := do()
		if err != nil {
			replies[i] = map[string]any{"error": toAPIError(err)}
		} else {
			replies[i] = map[string]any{names[i]: result}
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"replies": replies})
}

func toAPIError(err error) *apiError {
	var known *centrifuge.Error
	if !errors.As(err, &known) {
		slog.Error("command failed", "error", err)
		known = centrifuge.ErrorInternal
	}
	return &apiError{Code: known.Code, Message: known.Message}
}

func writeStatus(w http.ResponseWriter, status int) {
	http.Error(w, http.StatusText(status), status)
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		slog.Error("answer cannot be encoded", "error", err)
		writeStatus(w, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// payload is what a publication carries, as JSON or as base64 text.
type payload struct {
	Data           json.RawMessage   `json:"data"`
	Base64         string            `json:"b64data"`
	Tags           map[string]string `json:"tags"`
	SkipHistory    bool              `json:"skip_history"`
	IdempotencyKey string            `json:"idempotency_key"`
}

func (p payload) bytes() ([]byte, error) {
	data := []byte(p.Data)
	if p.Base64 != "" {
		decoded, err := base64.StdEncoding.DecodeString(p.Base64)
		if err != nil {
			return nil, centrifuge.ErrorBadRequest
		}
		data = decoded
	}
	if len(data) == 0 {
		return nil, centrifuge.ErrorBadRequest
	}
	return data, nil
}

// required is the channel of a command, declared and not empty.
func (a *api) required(channel string) (channelOptions, error) {
	if channel == "" {
		return channelOptions{}, centrifuge.ErrorBadRequest
	}
	return a.channels.options(channel)
}
