"""The HTTP edge: public APIs, the admin API, the demo page and the WebSocket for browsers."""
