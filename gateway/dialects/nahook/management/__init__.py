"""Managing a workspace: endpoints, what they subscribe to, applications, environments; and reading what was sent."""
