"""`clarion mcp`: a server for assistants, by the Model Context Protocol."""
