"""The HTTP edge: public dialects, the operator's API, the demo page and the browser's WebSocket."""
