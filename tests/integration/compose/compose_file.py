"""docker-compose.yml as Compose reads it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]

Service = dict[str, Any]

# ${NAME:-default} and ${NAME:?what to do}, which has no default: what docker-compose.yml uses.
VARIABLE = re.compile(r"\$\{([A-Z_]+):(?:-([^}]*)|\?[^}]*)\}")
# The file as JSON, before variables are replaced.
TEXT = json.dumps(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))


def compose(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return docker-compose.yml with these variables."""
    text = VARIABLE.sub(lambda found: json.dumps(variables.get(found[1]) or found[2] or "")[1:-1], TEXT)
    return dict(json.loads(text))


def read_env(path: Path) -> dict[str, str]:
    """Return the variables of an env file."""
    return dict(re.findall(r"^(\w+)=(.*)$", path.read_text(), re.MULTILINE))
